"""Whether the source of a view tells the embedded model its class: films all show a lesion, phantoms mostly none.

Run as `.venv/bin/python scripts/source_probe.py FILMS` (`make source-probe`). The views are of patients that the model
was not trained on, and of phantoms from seeds above two million. Films are read twice: as they are, and with their
lesions exchanged for tissue of the same breast, so that films without a lesion exist at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.birads import View
from amrg.models.load import load_model
from amrg.training.embedded.phantom_shards import DrawnExams, draw_shards, load_shard
from amrg.training.tower.batches import drawn_views
from amrg.training.tower.build import ENCODING
from amrg.training.tower.film_metrics import auroc
from amrg.training.tower.film_shards import COLUMNS, usable_films
from amrg.training.tower.films import FilmScene, ListedFilm, erase_lesions, frame_scene, read_scene
from amrg.training.tower.labelled_views import UNKNOWN, LabelledView, Source
from amrg.training.tower.suspicion import suspicion_evidence

FIRST_SEED = 2_000_001
SOURCES = {"cbis": "film", "cesm": "digital, marked", "cesm-cc": "digital"}
Row = tuple[str, str, LabelledView]


def real_views(films: Path, held_out: int, size: int) -> Iterator[Row]:
    """Source, class and view of every held-out image; marked films a second time without their lesions."""
    for number, film in enumerate(f for f in usable_films(films) if f.fold == held_out):
        scene = read_scene(film)
        source = SOURCES[film.source]
        yield source, _class(film), _framed(film, scene, size)
        if source == "film":
            bare = erase_lesions(scene, np.random.default_rng(number))
            if not bare.lesions:
                yield source, "lesions erased", _framed(film, bare, size)


def _framed(film: ListedFilm, scene: FilmScene, size: int) -> LabelledView:
    """A view of which only the image is used."""
    image = frame_scene(scene, size)[0][:, : round(COLUMNS * size)]
    return LabelledView(image, View(film.record["view"]), (), None, None, Source.FILM, UNKNOWN)


def _class(film: ListedFilm) -> str:
    outcomes = {str(lesion.get("pathology", "")).split("_")[0].lower() for lesion in film.record.get("lesions", [])}
    outcomes.add(str(film.record.get("outcome") or film.record.get("pathology") or "").lower())
    return next((name for name in ("malignant", "benign", "normal") if name in outcomes), "unknown")


def _class_of(suspicion: float | None) -> str:
    """The class of a phantom's view."""
    return "normal" if suspicion == 0 else "malignant" if suspicion == 1 else "benign"


def phantoms(count: int, folder: Path) -> Iterator[Row]:
    """Source, class and view of every image of screening phantoms, classed by what the view shows."""
    exams = DrawnExams(population="screening", first_seed=FIRST_SEED, exams=count)
    jobs = exams.jobs(folder, ENCODING)
    draw_shards(jobs)
    for job in jobs:
        for view in drawn_views(load_shard(job)):
            yield "drawn", _class_of(view.suspicion), view


def explained(values: npt.NDArray[np.float64], names: Sequence[str]) -> float:
    """Share of the variance that the mean of a group explains (eta squared)."""
    groups = [values[[n == name for n in names]] for name in set(names)]
    between = sum(len(g) * (g.mean() - values.mean()) ** 2 for g in groups)
    return float(between / ((values - values.mean()) ** 2).sum())


def main() -> None:
    """Print the suspicion by source and class, and the AUROC of each abnormal group against each normal one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("--drawn", type=int, default=50, help="phantom exams of four views")
    parser.add_argument("--folder", type=Path, default=Path("runs/source-probe"), help="where phantoms are drawn")
    given = parser.parse_args()
    loaded = load_model(None)
    tower = loaded.finding_tower
    assert tower is not None
    size = tower.config.image_size
    rows = [*real_views(given.films, 0, size), *phantoms(given.drawn, given.folder)]
    logits = suspicion_evidence(tower, [view for *_, view in rows], size)[:, 0].double().numpy()
    groups = {key: logits[[r[:2] == key for r in rows]] for key in dict.fromkeys(r[:2] for r in rows)}
    for (source, name), found in sorted(groups.items()):
        print(f"{source:16} {name:15} n {len(found):4}  suspicion logit {found.mean():6.2f} (sd {found.std():.2f})")
    normal = [k for k in groups if k[1] in ("normal", "lesions erased")]
    abnormal = [k for k in groups if k[1] == "malignant"]
    print("\nAUROC, malignant of one source against normal of another")
    for one, other in product(sorted(abnormal), sorted(normal)):
        print(f"{' '.join(one):26} {' '.join(other):22} {auroc(list(groups[one]), list(groups[other])):.2f}")
    chosen = [i for i, r in enumerate(rows) if r[:2] in (*normal, *abnormal)]
    of = [rows[i] for i in chosen]
    print("\nShare of the variance that is explained, of malignant and normal views")
    print(f"by source {explained(logits[chosen], [r[0] for r in of]):.2f}")
    classes = ["malignant" if r[1] == "malignant" else "normal" for r in of]
    print(f"by class  {explained(logits[chosen], classes):.2f}")


if __name__ == "__main__":
    main()
