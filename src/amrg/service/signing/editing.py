"""Editing: what a reader made of the findings, other facts of the report, and the text."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Sequence

from pydantic import Field, ValidationError

from amrg.birads import (
    Assessment,
    Comparison,
    Composition,
    Draft,
    Facility,
    FindingDecision,
    Indication,
    Negative,
    Recommendation,
    Report,
    ReportVersion,
    Status,
    Style,
    decided_findings,
    render,
)
from amrg.birads.renderer.phrasing import SIDE
from amrg.birads.renderer.rendering import FACILITY_STYLES
from amrg.core.duplicates import duplicates
from amrg.core.values import Value, first_complaint
from amrg.delivery.dicom.statement import display_name
from amrg.service.signing.errors import BadEdit

LONGEST_TEXT = 100_000  # characters
_ADDENDUM = re.compile(r"^ADDENDUM \(\d{4}-\d\d-\d\d \d\d:\d\d UTC, .*\):$", re.MULTILINE)


class Edit(Value):
    """Changes of a report; a field that is not given stays as it is.

    `decisions` are all that the reader decided about findings, in place of earlier ones. `text` is the reader's own,
    in place of the rendered one; None has it rendered again from the facts, above its addenda.
    """

    decisions: tuple[FindingDecision, ...] = Field((), max_length=200)
    indication: Indication | None = None
    comparison: Comparison | None = None
    composition: Composition | None = None
    negatives: tuple[Negative, ...] = Field((), max_length=200)
    assessments: tuple[Assessment, ...] = Field((), max_length=50)
    recommendation: Recommendation | None = None
    text: str | None = Field(None, min_length=1, max_length=LONGEST_TEXT)


_FACTS = ("indication", "comparison", "composition", "negatives", "assessments", "recommendation")


def edited(version: ReportVersion, edit: Edit, status: Status) -> ReportVersion:
    """A version as edited, with a status that has no signature yet.

    The text is rendered again from the edited facts, in the style of the draft's, unless it is a reader's own: that
    stays until it is replaced.

    Raises:
        BadEdit: a decision about a finding that the draft does not have, two categories of one breast, or text that
            cannot be a report's.
    """
    decisions = edit.decisions if "decisions" in edit.model_fields_set else version.decisions
    try:
        findings, unconfirmed = decided_findings(version.draft, decisions)
    except ValueError as error:
        raise BadEdit(f"decisions: {error}") from error
    facts = {name: getattr(edit, name) for name in _FACTS if name in edit.model_fields_set}
    if twice := duplicates(assessment.laterality for assessment in edit.assessments):
        whose = " and ".join("the whole study" if side is None else f"the {SIDE[side]} breast" for side in twice)
        raise BadEdit(f"assessments: several categories of {whose}; expected one")
    report = version.report.model_copy(
        update={**facts, "findings": findings, "unconfirmed": unconfirmed, "status": status}
    )
    text = _text(version, report, edit)
    report = report.model_copy(update={"narrative": text})
    # What an unsigned version replaced stays stated until a signature acknowledges it.
    reason = version.reason if version.signature is None else ""
    changes = {"decisions": decisions, "report": report, "text": text, "reason": reason, "signature": None}
    try:
        return ReportVersion.model_validate({**dict(version), **changes})
    except ValidationError as error:
        raise BadEdit(first_complaint(error)) from error


def decide(version: ReportVersion, decision: FindingDecision) -> Edit:
    """The edit that adds one decision to those of a version, in place of an earlier one about the same finding.

    Raises:
        BadEdit: there are as many decisions as a report may have.
    """
    others = (d for d in version.decisions if d.finding is None or d.finding != decision.finding)
    try:
        return Edit(decisions=(*others, decision))
    except ValidationError as error:
        raise BadEdit(first_complaint(error)) from error


def is_printable(text: str) -> bool:
    """Whether a text says something, and has no control characters but line breaks and tabs."""
    plain = text.translate({9: None, 10: None, 13: None})
    return bool(text.strip()) and not any(unicodedata.category(c) in ("Cc", "Cs") for c in plain)


def with_addendum(text: str, addendum: str, at: datetime.datetime, person_name: str) -> str:
    """A report's text with an addendum below it, under a heading that says when and whose it is."""
    heading = f"ADDENDUM ({at:%Y-%m-%d %H:%M} UTC, {display_name(person_name)}):"
    return f"{text.rstrip()}\n\n{heading}\n{addendum.strip()}\n"


def addenda_of(text: str) -> list[str]:
    """The headings of the addenda in a report's text."""
    return _ADDENDUM.findall(text)


def _text(version: ReportVersion, report: Report, edit: Edit) -> str:
    if edit.text is not None:
        if not is_printable(edit.text):
            raise BadEdit("text: empty, or with control characters other than line breaks and tabs")
        return edit.text
    body, addenda = _parted(version.text)
    style, facility = _style_of(version.draft)
    rendered = (render(version.report, style, facility=facility), version.draft.text)
    is_own = body.rstrip() not in (text.rstrip() for text in rendered)
    if is_own and "text" not in edit.model_fields_set:
        return version.text
    text = render(report, style, facility=facility)
    return f"{text.rstrip()}\n\n{addenda}" if addenda else text


def _parted(text: str) -> tuple[str, str]:
    """A report's text without its addenda, and those."""
    first = _ADDENDUM.search(text)
    end = len(text) if first is None else first.start()
    return text[:end], text[end:]


def _style_of(draft: Draft) -> tuple[Style, Facility | None]:
    """The style that the draft's text was rendered in; the clinical one where it was in none."""
    choices: Sequence[tuple[Style, Facility | None]] = (
        *((style, None) for style in Style),
        *((style, facility) for style in FACILITY_STYLES for facility in Facility),
    )
    return next((c for c in choices if render(draft.report, c[0], facility=c[1]) == draft.text), (Style.CLINICAL, None))
