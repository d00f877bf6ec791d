"""The tower trained on phantoms alone, on real views alone, and on both: what each finds on real and drawn views.

Run as `.venv/bin/python scripts/ablation_figures.py FILMS RUN_FOLDER` (`make ablation`): three short trainings of the
first stage, alike but for what they are trained on. Real views are of held-out patients, phantoms of held-out seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.birads import Kind
from amrg.metrics.intervals import interval
from amrg.models.embedded.attributes import KINDS
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.training.embedded.build import EmbeddedRecipe
from amrg.training.embedded.loop import Schedule
from amrg.training.embedded.phantom_shards import draw_shards, load_shard
from amrg.training.tower.batches import drawn_views
from amrg.training.tower.build import ENCODING, OPTIMISER, TowerRecipe, tower_data, train_small
from amrg.training.tower.film_metrics import auroc
from amrg.training.tower.film_shards import FilmView
from amrg.training.tower.labelled_views import LabelledView
from amrg.training.tower.operating_points import read_candidates, score_place

SHARES = {
    "phantoms only": dict.fromkeys(("film_share", "digital_share", "unmarked_share"), 0.0),
    "real only": dict.fromkeys(("drawn_share", "varied_share"), 0.0),
    "both": {},
}
SIZE = 256
DRAWS = 500
FALSE_MARKS = 0.25  # a view, at which recall is stated
MASS, CALCIFICATIONS = (2 + KINDS.index(kind) for kind in (Kind.MASS, Kind.CALCIFICATIONS))
MALIGNANT = 1
Output = tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class ReadView:
    """A view with its candidates, and whose it is."""

    group: str
    view: LabelledView
    output: Output


Figure = Callable[[Sequence[ReadView]], float]


def recall(place: int) -> Figure:
    """Recall of one place's lesions where there are `FALSE_MARKS` false marks a view."""

    def of(read: Sequence[ReadView]) -> float:
        scored = score_place([r.output for r in read], [r.view for r in read], place, SIZE)
        order = np.argsort(-scored.logits)
        false = np.cumsum(~scored.found[order])
        return float(scored.found[order][false <= FALSE_MARKS * len(read)].sum() / max(1, scored.lesions))

    return of


def malignant(read: Sequence[ReadView]) -> float:
    """AUROC of the surest malignant candidate: cancer against the others whose suspicion is known."""
    known = [(float(r.output[0][:, MALIGNANT].max(initial=-99.0)), r.view.suspicion) for r in read]
    return auroc([v for v, s in known if s == 1], [v for v, s in known if s is not None and s < 1])


def with_interval(name: str, figure: Figure, read: Sequence[ReadView]) -> str:
    """One line: value, 95 % interval over groups, n."""
    groups = sorted({r.group for r in read})
    members = {g: [r for r in read if r.group == g] for g in groups}
    rng = np.random.default_rng(0)
    draws = [
        figure([r for i in rng.integers(len(groups), size=len(groups)) for r in members[groups[i]]])
        for _ in range(DRAWS)
    ]
    ends = interval(np.array(draws), len(groups))
    between = f"[{ends.low:.2f}, {ends.high:.2f}]" if ends is not None else "no interval"
    return f"  {name:44} {figure(read):.2f} {between}, n {len(read)} views"


def figures(tower: MammogramTower, real: Sequence[FilmView], drawn: Sequence[LabelledView]) -> Iterator[str]:
    """Lines of one tower."""
    by_film = {
        "film": [v for v in real if v.film.source == "cbis"],
        "digital": [v for v in real if v.film.source != "cbis"],
    }
    parts = {
        name: [
            ReadView(str(v.film.record.get("patient", v.film.name)), v.labelled, output)
            for v, output in zip(views, read_candidates(tower, [v.labelled for v in views], SIZE), strict=True)
        ]
        for name, views in by_film.items()
    }
    parts["drawn"] = [
        ReadView(str(i // 4), view, output)
        for i, (view, output) in enumerate(zip(drawn, read_candidates(tower, drawn, SIZE), strict=True))
    ]
    for name, read in parts.items():
        yield with_interval(f"{name}: mass recall at {FALSE_MARKS} false a view", recall(MASS), read)
        if name == "drawn":
            yield with_interval(f"{name}: calcifications recall, same", recall(CALCIFICATIONS), read)
        yield with_interval(f"{name}: malignant against others, AUROC", malignant, read)


def main() -> None:
    """Train the three and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("folder", type=Path, help="that of `make model`, so that phantoms and views are made once")
    parser.add_argument("--steps", type=int, default=800)
    given = parser.parse_args()
    held_out = EmbeddedRecipe().held_out.jobs(given.folder / "exams", ENCODING)[:1]
    draw_shards(held_out)
    drawn = [view for job in held_out for view in drawn_views(load_shard(job))]
    small = Schedule(steps=given.steps, peak_learning_rate=6e-4, warmup_steps=100, **OPTIMISER)
    for name, shares in SHARES.items():
        recipe = TowerRecipe.model_validate({"small_size": SIZE, "small": small, **shares})
        data = tower_data(recipe, given.films, given.folder)
        tower = train_small(recipe, data, given.folder / f"ablation-{name.replace(' ', '-')}")
        print(f"{name} ({given.steps} steps)", *figures(tower, data.measured, drawn), sep="\n", flush=True)


if __name__ == "__main__":
    main()
