"""The value types of a data set: `Case`, the images it points at, how its reference came about."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from amrg.birads import Laterality, Report, View
from amrg.core.values import Value

NO_FINDINGS = "the data set publishes no findings: that its reference lists none says nothing of the pictures"
"""A note of a case."""

NOT_READ = "the report was not read: "
"""The start of a note of a case, which ends with the reason."""


NO_LABEL = "the data set has no label for the breast "
"""The start of a note of a case, which ends with `R` or `L`: that its reference states nothing there says nothing."""


class ReferenceSource(StrEnum):
    """Where a reference report comes from. Text rendered from labels is not scored as a radiologist's by default."""

    RADIOLOGIST = "radiologist"
    LABELS = "rendered from labels"
    PHANTOM = "phantom"


class ImageRef(Value):
    """One image of a case: `file` is a posix path below the data set's root.

    Laterality and view are as the data set's table gives them; where None, they are read from the file.
    """

    file: str
    laterality: Laterality | None = None
    view: View | None = None
    masks: tuple[str, ...] = ()


class Case(Value):
    """One study, or one image, to report on: images, reference report, provenance.

    `group` names cases that a split must keep together: those of one patient where known, else those of one text.
    `text` is the reference as published, byte for byte, or rendered from labels (then `source` says so).
    `labels` are the published label columns, as written. `published_split` is the data set's own, where it has one.
    """

    key: str
    dataset: str
    group: str
    source: ReferenceSource
    licence: str
    images: tuple[ImageRef, ...]
    reference: Report
    text: str
    labels: dict[str, str] = Field(default_factory=dict)
    published_split: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def unread(self) -> str | None:
        """Why the text was not read as facts, such as another language; None where it was."""
        reasons = (note.removeprefix(NOT_READ) for note in self.notes if note.startswith(NOT_READ))
        return next(reasons, None)

    @property
    def unlabelled(self) -> frozenset[Laterality]:
        """The breasts that nobody labelled: nothing is known of them, neither that they are normal."""
        sides = (note.removeprefix(NO_LABEL) for note in self.notes if note.startswith(NO_LABEL))
        return frozenset(map(Laterality, sides))

    @property
    def findings_known(self) -> bool:
        """Whether a reference without findings means that there are none."""
        return NO_FINDINGS not in self.notes and self.unread is None
