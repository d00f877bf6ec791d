"""A version of a study's report: a draft, or what a named person signed, corrected, added to or withdrew."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from amrg.birads.draft import Draft
from amrg.birads.lexicon import Status
from amrg.birads.report import Report
from amrg.core.values import Value

SIGNED = frozenset({Status.FINAL, Status.AMENDED, Status.APPENDED})
"""What only a signature makes of a report."""

PersonName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\\\x00-\x1f=]+$")]
"""A name as DICOM writes it, family^given^middle^prefix^suffix (PS3.5 6.2.1.1); without a caret it is a family name."""


class Signature(Value):
    """Who made a report final, of which organization, and when. `identifier` is the person's number there, if any."""

    name: PersonName
    organization: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    signed_at: AwareDatetime
    identifier: str = ""


class ReportVersion(Value):
    """One version of the report of a study; versions count from 1 and are never changed.

    `draft` is what amrg drafted, `report` and `text` are what this version states: those of the draft, or as edited.
    `report.status` says what kind of version it is. A final, amended (corrected) or appended one has a signature, a
    draft has none, and a withdrawn one that of the person who withdrew it. `reason` is why it was corrected or
    withdrawn.
    """

    schema_version: Literal[1] = 1
    number: int = Field(1, ge=1)
    created_at: AwareDatetime
    draft: Draft
    report: Report
    text: str = Field(min_length=1)
    signature: Signature | None = None
    reason: str = ""

    @model_validator(mode="after")
    def _signed_where_it_must_be(self) -> Self:
        needed = self.status in SIGNED or self.status is Status.WITHDRAWN
        if needed != (self.signature is not None):
            raise ValueError(f"a report that is {self.status} {'needs a' if needed else 'has no'} signature")
        return self

    @property
    def status(self) -> Status:
        """How far the report is on its way to a signature."""
        return self.report.status

    @property
    def is_signed(self) -> bool:
        """Whether a person answers for what it states."""
        return self.status in SIGNED


def unsigned_version(draft: Draft, created_at: AwareDatetime, number: int = 1) -> ReportVersion:
    """A draft as a version that nobody signed."""
    return ReportVersion(number=number, created_at=created_at, draft=draft, report=draft.report, text=draft.text)
