"""The shared real mammograms as data set folders for `amrg train` and `amrg benchmark run`.

    python scripts/films_data.py ../shared/data/films runs/films

Writes `cbis` (films of CBIS-DDSM), `cesm` (low-energy views of CDD-CESM) and `hospital` (the same views), a case a
patient. Views are written as files in their true proportions. References are rendered from labels, and marked so: of
CBIS-DDSM from the terms of its tables, of CDD-CESM from the radiologist's words on findings, the category and the
density. The split `published` has the patients in its test part that the embedded model was not trained on, and of the
others every eighth in validation; for `hospital` half of all patients, and of the others every fourth.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from amrg.birads import Category, Finding, Laterality, View, ViewBox, parse
from amrg.core.hashing import sha256_of_text
from amrg.datasets.case import Case, ImageRef
from amrg.datasets.import_dataset import import_dataset
from amrg.datasets.importer import About, Item, Odd
from amrg.datasets.importers.cbis_ddsm import CbisDdsm, finding_of_terms
from amrg.datasets.importers.cdd_cesm import CddCesm
from amrg.datasets.tables.cells import CATEGORIES, NUMERALS, density
from amrg.datasets.tables.labels import Judgement, KnownLabels, case_from_labels, join_views, report_of, worst_by_side
from amrg.models.checkpoint import EMBEDDED
from amrg.training.tower.film_shards import held_out_fold, usable_films
from amrg.training.tower.films import ListedFilm, film_in_proportion

log = logging.getLogger("amrg.films")
TABLE = "views.jsonl"
SOURCES: dict[str, About] = {"cbis": CbisDdsm.about, "cesm": CddCesm.about}


class WrittenSet(NamedTuple):
    """A data set to write: its name, the source of its views, which of them are for testing, and of how many of the
    other patients one is for validation."""

    name: str
    source: str
    tested: Callable[[ListedFilm], bool]
    validation_of: int = 8

    def part(self, film: ListedFilm) -> str:
        """The part of a patient."""
        if self.tested(film):
            return "test"
        part = crc32(f"part {film.record['patient']}".encode()) % self.validation_of
        return "validation" if part == 0 else "train"


def sets_to_write() -> tuple[WrittenSet, ...]:
    """All of them."""
    held_out = held_out_fold(EMBEDDED)

    def untrained(film: ListedFilm) -> bool:
        return film.fold == held_out

    def half(film: ListedFilm) -> bool:
        return int(sha256_of_text(f"hospital {film.record['patient']}"), 16) % 2 == 0

    return (
        WrittenSet("cbis", "cbis", untrained),
        WrittenSet("cesm", "cesm", untrained),
        WrittenSet("hospital", "cesm", half, validation_of=4),
    )


class ViewsTable:
    """Imports the folder that `write_views` wrote: one line a view."""

    def __init__(self, about: About) -> None:
        """Of one collection."""
        self.about = about

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Patients in the order of the table."""
        rows: dict[str, list[dict[str, str]]] = defaultdict(list)
        for line in (root / TABLE).read_text(encoding="utf-8").splitlines():
            rows[json.loads(line)["patient"]].append({"view": line})
        return (Item(patient, tuple(found)) for patient, found in rows.items())

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One patient."""
        views = [json.loads(row["view"]) for row in item.rows]
        known = KnownLabels(
            key=item.key,
            group=item.key,
            images=tuple(_image(view) for view in views),
            labels={view["file"]: json.dumps(view["labels"]) for view in views},
            published_split=views[0]["part"],
        )
        findings = join_views([finding for view in views for finding in _findings(view)])
        grades = [Judgement(view["file"], _side(view), grade) for view in views for grade in _grades(view)]
        compositions = [NUMERALS[str(view["density"])] for view in views if view["density"]]
        densest = max(compositions, key=density) if compositions else None
        return case_from_labels(self.about, known, report_of(findings, worst_by_side(grades), densest))


def write_views(films: Sequence[ListedFilm], part: Callable[[ListedFilm], str], folder: Path) -> None:
    """Write every view as a file in its true proportions, and the table of them, with the part that each is in."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for film in films:
        image, boxes = film_in_proportion(film)
        record = film.record
        file = f"{Path(film.name).stem}.png"
        image.save(folder / file)
        row = {"file": file, "part": part(film), "boxes": boxes, "labels": record}
        lines.append(json.dumps(row | {k: record.get(k) for k in ("patient", "laterality", "view", "density")}))
    (folder / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _side(view: dict[str, Any]) -> Laterality:
    return Laterality(view["laterality"])


def _image(view: dict[str, Any]) -> ImageRef:
    return ImageRef(file=view["file"], laterality=_side(view), view=View(view["view"]))


def _findings(view: dict[str, Any]) -> Iterator[Finding]:
    """Findings of one view: of CBIS-DDSM each lesion's terms, of CDD-CESM the radiologist's words."""
    record = view["labels"]
    where = {"laterality": _side(view), "views": (View(view["view"]),)}
    if "findings_text" in record:
        for finding in parse(str(record["findings_text"])).report.findings:
            yield finding.model_copy(update=where)
        return
    for lesion in record["lesions"]:
        box = lesion.get("box")
        placed = [found for found, labels in view["boxes"] if box is not None and labels == lesion]
        boxes = tuple(_box(view, edges) for edges in placed[:1])
        yield finding_of_terms(lesion).model_copy(update=where | {"boxes": boxes})


def _box(view: dict[str, Any], edges: Sequence[float]) -> ViewBox:
    left, top, right, bottom = edges
    return ViewBox(laterality=_side(view), view=View(view["view"]), left=left, top=top, right=right, bottom=bottom)


def _grades(view: dict[str, Any]) -> Iterator[Category]:
    """The categories that a view's labels give."""
    record = view["labels"]
    written = [record.get("assessment"), *(lesion.get("assessment") for lesion in record.get("lesions", []))]
    yield from (CATEGORIES[str(grade).upper()] for grade in written if str(grade).upper() in CATEGORIES)


def main() -> None:
    """Write both data sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder with films.jsonl")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for written in sets_to_write():
        views = given.out / f"{written.name}-views"
        films = [film for film in usable_films(given.films) if film.source == written.source]
        write_views(films, written.part, views)
        for part in import_dataset(ViewsTable(SOURCES[written.source]), views, given.out / written.name):
            log.info("%s: %d cases", written.name, part.cases)


if __name__ == "__main__":
    main()
