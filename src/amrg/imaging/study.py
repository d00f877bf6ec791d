"""Results of reading: mammograms, studies, files set aside, problems. Pixels are read on demand."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from amrg.birads import Laterality, View
from amrg.core.values import Value
from amrg.imaging.errors import printable_name
from amrg.imaging.evidence.identity import EvidenceJudgement
from amrg.imaging.evidence.kinds import ImageKind
from amrg.imaging.image import Pixels, PresentationImage
from amrg.imaging.pixels.decoding import presentation_image

SCREENING_VIEWS: tuple[tuple[Laterality, View], ...] = tuple(
    (side, view) for view in (View.CC, View.MLO) for side in Laterality
)


class Intent(StrEnum):
    """Presentation Intent Type (0008,0068)."""

    FOR_PRESENTATION = "FOR PRESENTATION"
    FOR_PROCESSING = "FOR PROCESSING"


class Mammogram(Value):
    """One view. `turned` is how many quarters counter-clockwise the file's image is turned, and `flipped` whether its
    rows are then mirrored, to hang it as its laterality requires. `rows` and `columns` are those of the hung image.

    `source` is the file; `pixel_spacing_mm` is (row, column) in the plane of the breast, None where unknown.
    `side_evidence` and `view_evidence` say which sources settled side and view, None where nothing was judged.
    `implant` is Breast Implant Present (0028,1300), None where the file does not say.
    """

    sop_instance_uid: str
    laterality: Laterality
    view: View
    pixel_spacing_mm: tuple[float, float] | None
    rows: int
    columns: int
    source: Path
    intent: Intent = Intent.FOR_PRESENTATION
    turned: Literal[0, 1, 2, 3] = 0
    flipped: bool = False
    kind: ImageKind = ImageKind.FULL_FIELD
    implant: bool | None = None
    side_evidence: EvidenceJudgement | None = None
    view_evidence: EvidenceJudgement | None = None
    notes: tuple[str, ...] = ()

    def pixels(self) -> Pixels:
        """Presentation values float32 [rows, columns] in 0..1, bright = dense, chest wall at its own edge.

        Raises:
            ImagingError: the file is missing or no longer readable.
        """
        return self.image().pixels()

    def image(self) -> PresentationImage:
        """The presentation image that `pixels` has all values of.

        Raises:
            ImagingError: the file is missing or no longer readable.
        """
        return presentation_image(self.source).hung(self.turned, self.flipped)

    def file_pixels(self) -> Pixels:
        """The same values on the file's own grid, neither turned nor mirrored: where `to_file` points to.

        Raises:
            ImagingError: the file is missing or no longer readable.
        """
        return presentation_image(self.source).pixels()

    def to_file(self, x: float, y: float) -> tuple[float, float]:
        """A point of `pixels` on the file's own grid."""
        x = self.columns - x if self.flipped else x
        return ((x, y), (self.rows - y, x), (self.columns - x, self.rows - y), (y, self.columns - x))[self.turned]


class Study(Value):
    """The mammograms of one examination. `patient_key` is a hash: never the PatientID itself.

    `notes` say what was done with its files, `problems` which of them are not used although they may be views of it.
    `accession_number` is Accession Number (0008,0050), empty where the files name none.
    `grouped_by` is what holds the views together: StudyInstanceUID, a file's folder, or the part of its name that is
    the patient.
    """

    study_instance_uid: str
    patient_key: str
    date: datetime.date | None
    mammograms: tuple[Mammogram, ...]
    prior: Study | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    accession_number: str = ""
    grouped_by: str = ""

    def remarks(self) -> tuple[str, ...]:
        """What a reader of a report on this study must know of how its files were read: problems, then notes."""
        return (*(f"Not used: {line}." for line in self.problems), *(f"{line}." for line in self.notes))


class UnusedFile(Value):
    """A file that is part of no study. `source` is where it was read, and is not stored with the results of a run."""

    file: str
    source: Path | None = Field(default=None, exclude=True)

    def folder_below(self, path: Path) -> str:
        """The file's folder below a path, ending in a slash; empty directly in it, and in an archive."""
        if self.source is None or not self.source.is_relative_to(path):
            return ""
        folder = self.source.relative_to(path).parent
        return "" if folder == Path() else printable_name(f"{folder}/")


class SetAside(UnusedFile):
    """A readable file that is no screening view, and what it is."""

    reason: str

    @classmethod
    def of(cls, source: Path, reason: str) -> SetAside:
        """Of a file with a printable name."""
        return cls(file=source.name, source=source, reason=reason)

    def line(self, path: Path) -> str:
        """The line of a run over a path."""
        return f"set aside: {self.folder_below(path)}{self.file}: {self.reason}"


class Problem(UnusedFile):
    """A file that could not be read, and why, in one line."""

    message: str

    def line(self, path: Path) -> str:
        """The line of a run over a path."""
        return f"problem: {self.folder_below(path)}{self.message}"


class WithoutView(Value):
    """A study of which no file is read as a view: why, and whether one of them might be (`unreadable`)."""

    study_instance_uid: str
    reason: str
    unreadable: bool


class Intake(Value):
    """The result of reading a path: every file is in one of the first three; `without_view` are the other studies."""

    studies: tuple[Study, ...]
    set_aside: tuple[SetAside, ...]
    problems: tuple[Problem, ...]
    without_view: tuple[WithoutView, ...] = ()


def in_order_of_date(studies: Iterable[Study]) -> list[Study]:
    """Studies from the earliest on, those without a date last."""

    def order(study: Study) -> tuple[bool, str, str, str]:
        date = "" if study.date is None else study.date.isoformat()
        return study.date is None, date, study.patient_key, study.study_instance_uid

    return sorted(studies, key=order)


def missing_views(study: Study) -> tuple[tuple[Laterality, View], ...]:
    """Which of RCC, LCC, RMLO, LMLO the study lacks."""
    there = {(m.laterality, m.view) for m in study.mammograms}
    return tuple(view for view in SCREENING_VIEWS if view not in there)


def hanging_order(study: Study) -> list[Mammogram]:
    """The study's screening views in hanging order: RCC, LCC, RMLO, LMLO, then any other projection."""
    order = {view: i for i, view in enumerate(SCREENING_VIEWS)}
    return sorted(study.mammograms, key=lambda m: order.get((m.laterality, m.view), len(order)))
