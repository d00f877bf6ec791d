"""A drafted report as a value: the report and all that every output of it must state. Exact through JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from amrg.birads.lexicon import Category, Depth, Laterality, Quadrant, View
from amrg.birads.renderer.phrasing import SIDE, noun, region
from amrg.birads.report import Finding, Fraction, Report, ViewBox
from amrg.birads.text.draft_lines import IMAGE_UID, NOT_COMPARED, LineStart
from amrg.core.values import Value


class RemovalReason(StrEnum):
    """Why a finding that the model drafted is not in the report."""

    LOW_CONFIDENCE = "low confidence"
    NOT_ON_EVERY_VIEW = "not on every view"
    NOT_LOCATED = "not located"
    DUPLICATE = "duplicate"


class RemovedFinding(Value):
    """A finding that the model drafted and the report does not have.

    `probability` is that of its best place in the image features, None where there is none; `threshold` is the least
    probability of a finding that stays, None where another reason removed it.
    """

    finding: Finding
    reason: RemovalReason
    probability: Fraction | None = None
    threshold: Fraction | None = None

    @property
    def line(self) -> str:
        """The line that the radiologist reads."""
        what = describe_finding(self.finding)
        if self.reason is RemovalReason.DUPLICATE:
            return f"Removed, duplicate: {what} (no separate location)."
        if self.probability is None or self.threshold is None:
            return f"Removed, not located on any view: {what}."
        return f"Removed, {self.reason} ({self.probability:.2f}, threshold {self.threshold:.2f}): {what}."


class CategoryChange(Value):
    """A category that is another one because its finding was removed: of one breast, or of the whole study."""

    laterality: Laterality | None
    before: Category
    after: Category

    @property
    def line(self) -> str:
        """The line that the radiologist reads."""
        whose = "Overall" if self.laterality is None else f"{SIDE[self.laterality].capitalize()} breast"
        how = "changed" if self.after is Category.INCOMPLETE else "lowered"
        return f"{whose} category {how} from {self.before} to {self.after} after removal."


class PlaceChange(Value):
    """A quadrant or a depth that boxes did not show, and the one that they show instead; None where it stays.

    `finding` is as drafted; `views` are those whose boxes show it.
    """

    finding: Finding
    quadrant: Quadrant | None = None
    depth: Depth | None = None
    views: tuple[tuple[Laterality, View], ...] = Field(min_length=1)

    @property
    def line(self) -> str:
        """The line that the radiologist reads."""
        what = describe_finding(self.finding)
        where = [] if self.quadrant is None else [region(self.quadrant)]
        where += [] if self.depth is None else [f"{self.depth} depth, not {self.finding.location.depth}"]
        return f"Place corrected to {', '.join(where)} (shown on {_names(self.views)}): {what}."


class SizeChange(Value):
    """A size that the model wrote, and the one that was measured instead, None where none could be.

    `finding` is as drafted. No model is shown the scale of its images, so what it writes of a size is a guess.
    """

    finding: Finding
    size_mm: Annotated[int, Field(ge=1, le=300)] | None

    @property
    def line(self) -> str:
        """The line that the radiologist reads."""
        what, written = describe_finding(self.finding), f"{self.finding.size_mm} mm"
        if self.size_mm is None:
            return f"Removed, size not measured: {written}, {what}."
        return f"Size measured as {self.size_mm} mm, not {written}: {what}."


class IncompleteAssessment(Value):
    """A category 1 or 2 that was raised to 0: of one breast that was not seen in full, or of the whole study.

    `missing_views` are those of CC and MLO that the breast, or either breast, lacks; `before` is the category that the
    views there are would have.
    """

    laterality: Laterality | None
    missing_views: tuple[tuple[Laterality, View], ...] = Field(min_length=1)
    before: Category

    @property
    def line(self) -> str:
        """The line that the radiologist reads."""
        whose = "Overall" if self.laterality is None else f"{SIDE[self.laterality].capitalize()} breast"
        return f"{whose} category {Category.INCOMPLETE}, not {self.before}: {_names(self.missing_views)} missing."


class DraftedImage(Value):
    """An image that the draft was made from."""

    laterality: Laterality
    view: View
    sop_instance_uid: str


class DraftedPatient(Value):
    """Whom a draft is of, as the files state it: only where a person asked for it by `amrg report --identify`."""

    name: str
    patient_id: str
    birth_date: datetime.date | None

    @property
    def line(self) -> str:
        """The line that every output states."""
        born = "unknown" if self.birth_date is None else self.birth_date.isoformat()
        return f"{LineStart.PATIENT} {self.name or 'no name'}, PatientID {self.patient_id or 'empty'}, born {born}"


class DraftedStudy(Value):
    """Which study a draft is of. `patient_key` is a hash: no output names the patient, unless `patient` is set.

    `accession_number` is that of the order, empty where the files name none.
    `prior_date` is that of the patient's latest earlier study at the same path, which no draft is compared with.
    """

    study_instance_uid: str
    date: datetime.date | None
    accession_number: str = ""
    patient_key: str
    patient: DraftedPatient | None = None
    prior_date: datetime.date | None = None
    images: tuple[DraftedImage, ...]

    def lines(self) -> Iterator[str]:
        """The identifiers as every output states them: the study, then each image."""
        if self.patient is not None:
            yield self.patient.line
        yield f"{LineStart.STUDY_DATE} {self.date.isoformat() if self.date is not None else 'unknown'}"
        if self.prior_date is not None:
            yield f"{LineStart.COMPARISON} {self.prior_date.isoformat()} {NOT_COMPARED}"
        if self.accession_number:
            yield f"{LineStart.ACCESSION_NUMBER} {self.accession_number}"
        yield f"{LineStart.PATIENT_KEY} {self.patient_key}"
        yield f"{LineStart.STUDY_UID} {self.study_instance_uid}"
        for image in self.images:
            yield f"{image.laterality}{image.view} {IMAGE_UID} {image.sop_instance_uid}"


class ImageBox(Value):
    """A finding's box on the grid of the image's own file. `finding` counts the report's findings from 1."""

    finding: Annotated[int, Field(ge=1)]
    sop_instance_uid: str
    box: ViewBox


class Draft(Value):
    """A drafted report with its rendered text, the model's own text, and what a reader must know of both.

    `study` says what it is a draft of, and `boxes` on which image each finding is.
    `suspicion` is how suspicious the exam is by its images alone, 0 to 1, whatever the report says; None for a model
    that does not measure it.
    `in_domain` says whether the images are like those that the model was trained on: at `domain_distance` from them,
    where up to `domain_threshold` is usual; all None for a model that knows nothing of its training images.
    `other_pictures` are views that do not look like mammograms, and were drafted because a person forced it.
    `problems` are lines: text that was not understood, and rules of consistency that the model's report breaks.
    """

    schema_version: Literal[1] = 1
    banner: tuple[str, ...] = Field(min_length=1)
    study: DraftedStudy | None = None
    in_domain: bool | None = None
    domain_distance: FiniteFloat | None = None
    domain_threshold: FiniteFloat | None = None
    suspicion: Fraction | None = None
    other_pictures: tuple[tuple[Laterality, View], ...] = ()
    missing_views: tuple[tuple[Laterality, View], ...] = ()
    removed: tuple[RemovedFinding, ...] = ()
    category_changes: tuple[CategoryChange, ...] = ()
    place_changes: tuple[PlaceChange, ...] = ()
    size_changes: tuple[SizeChange, ...] = ()
    incomplete: tuple[IncompleteAssessment, ...] = ()
    problems: tuple[str, ...] = ()
    report: Report
    boxes: tuple[ImageBox, ...] = ()
    text: str
    model_text: str

    def facts(self) -> Iterator[str]:
        """What every output states before the report: which study it is of, and how suspicious its images are."""
        if self.study is not None:
            yield from self.study.lines()
        if self.suspicion is not None:
            yield (
                f"{LineStart.SUSPICION} {self.suspicion:.2f} (0 to 1, from the images alone; not the risk of cancer)"
            )

    def notes(self) -> Iterator[str]:
        """What the report alone does not say, line by line: missing views, what was removed or changed, problems."""
        if self.missing_views:
            yield f"Missing views: {_names(self.missing_views)}."
        yield from (removed.line for removed in self.removed)
        yield from (change.line for change in self.category_changes)
        yield from (change.line for change in self.place_changes)
        yield from (change.line for change in self.size_changes)
        yield from (assessment.line for assessment in self.incomplete)
        yield from self.problems


def draft_banner(
    model: str,
    missing_views: tuple[tuple[Laterality, View], ...] = (),
    *,
    other_pictures: tuple[tuple[Laterality, View], ...] = (),
    unlike_training: tuple[float, float] | None = None,
) -> tuple[str, ...]:
    """The first lines of every output: unverified, drafted by which model, of what and of which missing views.

    `unlike_training` is the images' distance from the training images and the most that is usual, where it is beyond.
    """
    lines = [f"{LineStart.BANNER} {model}. Not for clinical use."]
    if other_pictures:
        lines.append(f"{LineStart.NOT_A_MAMMOGRAM} {_names(other_pictures)} by its looks. Do not rely on this draft.")
    if unlike_training is not None:
        lines.append(_unlike_line(*unlike_training))
    if missing_views:
        lines.append(
            f"{LineStart.INCOMPLETE_STUDY} {_names(missing_views)} missing. A breast not seen in full is not cleared."
        )
    return tuple(lines)


def _unlike_line(distance: float, usual: float) -> str:
    """The line for images that are further from the training images than those are from each other."""
    return (
        f"{LineStart.OUTSIDE_DOMAIN} these images are unlike those that the model was trained on "
        f"(distance {distance:.1f}, usual up to {usual:.1f}). Expect more errors."
    )


def _names(views: tuple[tuple[Laterality, View], ...]) -> str:
    return ", ".join(f"{side}{view}" for side, view in views)


def describe_finding(finding: Finding) -> str:
    """A finding in a few words: `mass, right breast, upper outer quadrant`."""
    parts = [noun(finding)]
    if finding.laterality is not None:
        parts.append(f"{SIDE[finding.laterality]} breast")
    if finding.location.quadrant is not None:
        parts.append(region(finding.location.quadrant))
    return ", ".join(parts)
