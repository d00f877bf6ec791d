"""A version of a study's report: a draft, or what a named person signed, corrected, added to or withdrew."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from amrg.birads.draft import Draft, ImageBox
from amrg.birads.lexicon import Status
from amrg.birads.report import Finding, Report
from amrg.core.values import Value

SIGNED = frozenset({Status.FINAL, Status.AMENDED, Status.APPENDED})
"""What only a signature makes of a report."""


def _names_someone(name: str) -> str:
    if not name.strip(" ^") or any(c in "\\=" or not c.isprintable() for c in name):
        raise ValueError("a name has letters, and no backslash, equals sign or control character")
    return name


def _says_something(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("has nothing printable, or a control character")
    return text


PersonName = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_names_someone)]
"""A name as DICOM writes it, family^given^middle^prefix^suffix (PS3.5 6.2.1.1); without a caret it is a family name."""
Organization = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_says_something)]
"""Whom a signature is of, on one line."""


class Signature(Value):
    """Who made a report final, of which organization, and when. `identifier` is the person's number there, if any."""

    name: PersonName
    organization: Organization
    signed_at: AwareDatetime
    identifier: str = ""


class Decision(StrEnum):
    """What a reader made of a finding."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EDITED = "edited"
    ADDED = "added"


class FindingDecision(Value):
    """What a reader made of one drafted finding, or one that the reader added.

    `finding` counts the draft's findings from 1, and after them its unconfirmed ones; an added one has none. `result`
    is the finding as edited or added.
    """

    decision: Decision
    finding: Annotated[int, Field(ge=1)] | None = None
    result: Finding | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if (self.decision is Decision.ADDED) != (self.finding is None):
            raise ValueError("a decision names the finding that it is about, unless the reader added one")
        if (self.decision in (Decision.EDITED, Decision.ADDED)) != (self.result is not None):
            raise ValueError("a finding that was edited or added is given in `result`, and no other is")
        return self


class ReportVersion(Value):
    """One version of the report of a study; versions count from 1 and are never changed.

    `draft` is what amrg drafted, and stays; `decisions` are what readers made of its findings. `report` and `text` are
    what this version states: those of the draft, or as edited.
    `report.status` says what kind of version it is. A final, amended (corrected) or appended one has a signature, a
    draft has none, and a withdrawn one that of the person who withdrew it. `reason` is why it was corrected or
    withdrawn, or of an unsigned one which version with a reader's changes it replaces.
    """

    schema_version: Literal[1] = 1
    number: int = Field(1, ge=1)
    created_at: AwareDatetime
    draft: Draft
    decisions: tuple[FindingDecision, ...] = ()
    report: Report
    text: str = Field(min_length=1)
    signature: Signature | None = None
    reason: str = ""

    @model_validator(mode="after")
    def _signed_where_it_must_be(self) -> Self:
        needed = self.status in SIGNED or self.status is Status.WITHDRAWN
        if needed != (self.signature is not None):
            raise ValueError(f"a report that is {self.status} {'needs a' if needed else 'has no'} signature")
        _decided(self.draft, self.decisions)
        return self

    @property
    def status(self) -> Status:
        """How far the report is on its way to a signature."""
        return self.report.status

    @property
    def is_signed(self) -> bool:
        """Whether a person answers for what it states."""
        return self.status in SIGNED

    @property
    def boxes(self) -> tuple[ImageBox, ...]:
        """The draft's boxes of the findings that this version states, numbered as in `report`.

        A finding that a reader added has none, nor has one that was moved to the other breast.
        """
        stated, _ = _decided(self.draft, self.decisions)
        return tuple(
            box.model_copy(update={"finding": number})
            for number, (drafted, finding) in enumerate(stated, 1)
            for box in self.draft.boxes
            if box.finding == drafted and finding.laterality in (None, box.box.laterality)
        )

    @property
    def origins(self) -> tuple[int | None, ...]:
        """The number in the draft of each finding that this version states; None for one that a reader added."""
        return tuple(number for number, _ in _decided(self.draft, self.decisions)[0])


def decided_findings(
    draft: Draft, decisions: Sequence[FindingDecision]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings of a draft as readers decided, in the draft's order, then those added; and those still unconfirmed.

    A finding without a decision stays as drafted. An unconfirmed one that is accepted or edited becomes a finding.
    Boxes are the draft's whatever was edited, but for a finding that was moved to the other breast.

    Raises:
        ValueError: two decisions about one finding, one about a finding that the draft does not have, or boxes that are
            not the draft's.
    """
    stated, unconfirmed = _decided(draft, decisions)
    return tuple(finding for _, finding in stated), unconfirmed


def _decided(
    draft: Draft, decisions: Sequence[FindingDecision]
) -> tuple[list[tuple[int | None, Finding]], tuple[Finding, ...]]:
    """The same, each finding with its number in the draft, None for one that was added."""
    decided = _numbered(draft, decisions)
    drafted = [*draft.report.findings, *draft.report.unconfirmed]
    first_unconfirmed = len(draft.report.findings) + 1
    stated: list[tuple[int | None, Finding]] = []
    unconfirmed: list[Finding] = []
    for number, finding in enumerate(drafted, 1):
        decision = decided.get(number)
        if decision is None and number >= first_unconfirmed:
            unconfirmed.append(finding)
        elif decision is None or decision.decision is not Decision.REJECTED:
            result = None if decision is None else decision.result
            stated.append((number, finding if result is None else _with_drafted_boxes(number, finding, result)))
    for decision in decisions:
        if decision.decision is Decision.ADDED and decision.result is not None:
            if decision.result.boxes:
                raise ValueError("an added finding has boxes; boxes are the model's alone: leave them out")
            stated.append((None, decision.result))
    return stated, tuple(unconfirmed)


def _with_drafted_boxes(number: int, drafted: Finding, result: Finding) -> Finding:
    """An edited finding with the boxes of the drafted one, but for those on the other breast than it is in now."""
    remaining = tuple(box for box in drafted.boxes if result.laterality in (None, box.laterality))
    if result.boxes not in ((), drafted.boxes, remaining):
        raise ValueError(f"finding {number}: boxes other than the draft's; leave them out, and it retains its marks")
    return result if remaining == result.boxes else result.model_copy(update={"boxes": remaining})


def _numbered(draft: Draft, decisions: Sequence[FindingDecision]) -> dict[int, FindingDecision]:
    drafted = len(draft.report.findings) + len(draft.report.unconfirmed)
    by_number: dict[int, FindingDecision] = {}
    for decision in decisions:
        if decision.finding is None:
            continue
        if decision.finding > drafted:
            raise ValueError(f"finding {decision.finding}: the draft has {drafted}")
        if decision.finding in by_number:
            raise ValueError(f"finding {decision.finding}: two decisions; expected one")
        by_number[decision.finding] = decision
    return by_number


def unsigned_version(draft: Draft, created_at: AwareDatetime, number: int = 1, reason: str = "") -> ReportVersion:
    """A draft as a version that nobody signed; `reason` where it replaces one that a reader changed."""
    return ReportVersion(
        number=number, created_at=created_at, draft=draft, report=draft.report, text=draft.text, reason=reason
    )
