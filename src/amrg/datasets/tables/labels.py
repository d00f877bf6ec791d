"""Labels to a report, and the report to text: references of data sets that publish no reports.

A report has what the labels give and nothing else: no advice, no denial, no comparison is made up. Its text is
rendered in the clinical style, plainest wording, and the case is marked `ReferenceSource.LABELS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Finding,
    Laterality,
    Report,
    Style,
    View,
    ViewBox,
    parse,
    render,
    write_findings,
)
from amrg.birads.findings_list import NONE
from amrg.datasets.case import NO_FINDINGS, NOT_READ, Case, ImageRef, ReferenceSource
from amrg.datasets.importer import About, Odd, Oddity
from amrg.datasets.tables.cells import SIDES, VIEWS, Cells, agreed_value, density, suspicion
from amrg.datasets.tables.grouping import WHERE

_NOTHING_FOUND = {"findings:", "no finding described."}
NO_IMAGES = "none of its pictures is in the folder"
Side = Laterality | None
Categories = Mapping[str, Category | None]
Compositions = Mapping[str, Composition]


@dataclass(frozen=True)
class KnownLabels:
    """What a data set publishes of a case apart from its report."""

    key: str
    group: str
    images: tuple[ImageRef, ...]
    labels: dict[str, str] = field(default_factory=dict)
    published_split: str | None = None
    notes: tuple[str, ...] = ()


def case_from_labels(about: About, known: KnownLabels, report: Report) -> Case:
    """A case whose reference is rendered from labels."""
    missing = () if known.images else (NO_IMAGES,)
    return Case(
        key=known.key,
        dataset=about.name,
        group=known.group,
        source=ReferenceSource.LABELS,
        licence=about.licence,
        images=known.images,
        reference=report,
        text=render_known(report, Style.CLINICAL, known.notes),
        labels=known.labels,
        published_split=known.published_split,
        notes=(*known.notes, *missing),
    )


def render_known(report: Report, style: Style, notes: Sequence[str]) -> str:
    """A reference as text, plainest wording; `notes` are those of its case.

    Where the data set publishes no findings, no sentence says that there are none.
    """
    text = render(report, style, wording=0)
    if NO_FINDINGS not in notes or report.findings or report.negatives:
        return text
    lines = (line for line in text.splitlines() if line.strip().casefold() not in _NOTHING_FOUND)
    return "\n".join(lines).rstrip() + "\n"


def list_known(report: Report, notes: Sequence[str]) -> str:
    """A reference as a findings list; `notes` are those of its case.

    Where the data set publishes no findings, no line says that there are none.
    """
    text = write_findings(report)
    return text if NO_FINDINGS not in notes or report.findings else text.replace(f"\n{NONE}\n", "\n", 1)


def read_reference(text: str, where: str, odd: Odd) -> tuple[Report, tuple[str, ...]]:
    """A radiologist's text as a report, and the notes of its case. A text that is not read is odd, and noted: its
    report has no facts, which is not the same as a normal exam.
    """
    parsed = parse(text)
    understood = parsed.facts or parsed.other_categories or parsed.marker_placement
    if understood and parsed.refusal is None:
        return parsed.report, ()
    reason = parsed.refusal or "nothing in it was understood"
    odd(Oddity(where=where, found=f"{reason}; its reference is unread", expected="a report in English"))
    return parsed.report, (f"{NOT_READ}{reason}",)


def report_of(
    findings: Iterable[Finding],
    assessments: Iterable[Assessment] = (),
    composition: Composition | None = None,
) -> Report:
    """A report from labels. Findings keep their categories only where there are assessments, as in a report."""
    named = tuple(assessments)
    reported = tuple(f if named else f.model_copy(update={"category": None}) for f in findings)
    return Report(findings=reported, assessments=named, composition=composition)


@dataclass(frozen=True)
class Judgement:
    """What one row gives for a side: its source, the side, and category and composition where it has them."""

    source: str
    side: Side
    category: Category | None
    composition: Composition | None = None


def read_judgement(
    cells: Cells, side: str, category: tuple[str, Categories], composition: tuple[str, Compositions]
) -> Judgement:
    """The judgement of a row, by its column `side` and by the columns of category and composition with their terms."""
    return Judgement(cells.row[WHERE], cells.term(side, SIDES), cells.term(*category), cells.term(*composition))


def assessments_of(judged: Sequence[Judgement], where: str, odd: Odd) -> tuple[Assessment, ...]:
    """One category a side, right first; rows of a side that contradict each other are odd and the worst is taken."""
    named = []
    for side in (*Laterality, None):
        rows = [(j.source, j.category) for j in judged if j.side is side]
        category = agreed_value(rows, suspicion, f"{where}, category of {_side_name(side)}", odd)
        if category is not None:
            named.append(Assessment(category=category, laterality=side))
    return tuple(named)


def worst_by_side(judged: Sequence[Judgement]) -> tuple[Assessment, ...]:
    """The worst category a side, right first, where each row judges a lesion: a breast is as its worst lesion is."""
    named = []
    for side in (*Laterality, None):
        found = [j.category for j in judged if j.side is side and j.category is not None]
        if found:
            named.append(Assessment(category=max(found, key=suspicion), laterality=side))
    return tuple(named)


def composition_of(judged: Sequence[Judgement], where: str, odd: Odd) -> tuple[Composition | None, tuple[str, ...]]:
    """The composition of the denser breast, as BI-RADS asks, with a note where the breasts differ.

    Rows of one side that contradict each other are odd.
    """
    sides: dict[Side, Composition] = {}
    for side in (*Laterality, None):
        rows = [(j.source, j.composition) for j in judged if j.side is side]
        found = agreed_value(rows, density, f"{where}, composition of {_side_name(side)}", odd)
        if found is not None:
            sides[side] = found
    if not sides:
        return None, ()
    differ = len(set(sides.values())) > 1
    stated = ", ".join(f"{_side_name(side)} {value}" for side, value in sides.items())
    return max(sides.values(), key=density), ((f"composition is the denser of {stated}",) if differ else ())


def _side_name(side: Side) -> str:
    return "the study" if side is None else f"side {side.value}"


def join_views(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings a view to findings a lesion.

    Findings of a side that are alike but for view and box, each the only one of its kind on its view, are one lesion.
    Where a view has several alike, which is which on the other view is not published, so each stays a lesion.
    """
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        bare = finding.model_copy(update={"views": (), "boxes": ()})
        alike.setdefault(bare.model_dump_json(), []).append(finding)
    lesions: list[Finding] = []
    for group in alike.values():
        views = [view for finding in group for view in finding.views]
        alone = len(set(views)) == len(views) and all(finding.views for finding in group)
        lesions += [_one(group, views)] if alone else group
    return tuple(lesions)


def _one(group: Sequence[Finding], views: Sequence[View]) -> Finding:
    """One finding of several alike, seen on all their views."""
    boxes = tuple(box for finding in group for box in finding.boxes)
    return group[0].model_copy(update={"views": tuple(sorted(views)), "boxes": boxes})


def assign_boxes(findings: Sequence[Finding], boxes: Sequence[ViewBox]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Boxes that no table assigns to a finding, given to the only finding of their side; else a note."""
    given: dict[int, tuple[ViewBox, ...]] = {}
    notes = []
    for side in Laterality:
        here = [i for i, finding in enumerate(findings) if finding.laterality is side]
        marks = tuple(box for box in boxes if box.laterality is side)
        if marks and len(here) == 1:
            given[here[0]] = marks
        elif marks:
            notes.append(f"{len(marks)} marks on side {side.value} for {len(here)} findings: not tied to any")
    with_marks = (f.model_copy(update={"boxes": given[i]}) if i in given else f for i, f in enumerate(findings))
    return tuple(with_marks), tuple(notes)


def image_of(cells: Cells, file: str, side: str, view: str) -> ImageRef | None:
    """An image with side and view by those columns; one of a projection that is not in the lexicon is odd and
    skipped, since it is no screening view.
    """
    stated = cells.text(view)
    if stated and stated.upper() not in VIEWS:
        cells.report(view, f"{stated}; the image is skipped", f"one of {', '.join(VIEWS)}")
        return None
    return ImageRef(file=file, laterality=cells.term(side, SIDES), view=cells.term(view, VIEWS))


def existing_images(root: Path, images: Iterable[ImageRef | None], odd: Odd) -> tuple[ImageRef, ...]:
    """The images that exist; the others are odd and skipped, so that the rest of an exam can be read."""
    there = []
    for image in images:
        if image is None:
            continue
        if (root / image.file).is_file():
            there.append(image)
        else:
            expected = "an image that the table names"
            odd(Oddity(where=image.file, found="no such file", expected=expected, missing_image=True))
    return tuple(there)


def split_of_rows(rows: Iterable[tuple[str, str]], where: str, odd: Odd) -> str | None:
    """The published split of a case's rows, pairs of source and split.

    Where they contradict each other it is `test`, so that no test case is trained on, and that is odd.
    """
    found = [(source, split) for source, split in rows if split]
    if not found:
        return None
    if len({split for _, split in found}) == 1:
        return found[0][1]
    stated = ", ".join(f"{split} by {source}" for source, split in found)
    odd(Oddity(where=f"{where}, split", found=f"{stated}; kept in test", expected="one split"))
    return "test"
