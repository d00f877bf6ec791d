"""Versions of a report: signed where they say so, exact through JSON."""

from __future__ import annotations

import datetime

import pytest
from pydantic import ValidationError

from amrg.birads import (
    Decision,
    Draft,
    Finding,
    FindingDecision,
    ImageBox,
    Kind,
    Laterality,
    Report,
    ReportVersion,
    Signature,
    Status,
    View,
    ViewBox,
    decided_findings,
    unsigned_version,
)

NOW = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)
DRAFT = Draft(banner=("UNVERIFIED",), report=Report(), text="No finding.", model_text="No finding.")
SIGNATURE = Signature(name="Doe^Jane", organization="General Hospital", signed_at=NOW)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("signature", [None, SIGNATURE])
def test_a_version_is_signed_exactly_where_its_status_says_so(status: Status, signature: Signature | None) -> None:
    facts = {
        "created_at": NOW,
        "draft": DRAFT,
        "report": DRAFT.report.model_copy(update={"status": status}),
        "text": DRAFT.text,
        "signature": signature,
    }
    if (status not in (Status.DRAFT, Status.PRELIMINARY)) == (signature is not None):
        version = ReportVersion.model_validate(facts)
        assert version.status is status
        assert ReportVersion.model_validate_json(version.model_dump_json()) == version
    else:
        with pytest.raises(ValidationError, match="signature"):
            ReportVersion.model_validate(facts)


def test_a_draft_is_a_version_that_nobody_signed() -> None:
    version = unsigned_version(DRAFT, NOW)
    assert version.status is Status.DRAFT
    assert not version.is_signed


@pytest.mark.parametrize("name", ["", "a\\b", "x" * 65, "two\nlines"])
def test_a_signature_has_a_name_that_dicom_can_write(name: str) -> None:
    with pytest.raises(ValidationError):
        Signature(name=name, organization="H", signed_at=NOW)


MASS = Finding(kind=Kind.MASS, laterality=Laterality.RIGHT)
CALCIUM = MASS.model_copy(update={"kind": Kind.CALCIFICATIONS})
BOX = ViewBox(laterality=Laterality.RIGHT, view=View.CC, left=1, top=2, right=3, bottom=4)
FOUND = DRAFT.model_copy(
    update={
        "report": Report(findings=(MASS, CALCIUM), unconfirmed=(MASS,)),
        "boxes": tuple(ImageBox(finding=n, sop_instance_uid=f"1.{n}", box=BOX) for n in (1, 2)),
    }
)


def decision(decision: Decision, finding: int | None = None, result: Finding | None = None) -> FindingDecision:
    return FindingDecision(decision=decision, finding=finding, result=result)


def test_decisions_and_boxes_follow_the_drafted_findings() -> None:
    moved = MASS.model_copy(update={"laterality": Laterality.LEFT})
    assert decided_findings(FOUND, ()) == ((MASS, CALCIUM), (MASS,))
    decisions = (decision(Decision.ADDED, result=moved), decision(Decision.REJECTED, 1), decision(Decision.ACCEPTED, 3))
    assert decided_findings(FOUND, decisions) == ((CALCIUM, MASS, moved), ())
    version = ReportVersion(created_at=NOW, draft=FOUND, decisions=decisions, report=FOUND.report, text="a")
    assert [(box.finding, box.sop_instance_uid) for box in version.boxes] == [(1, "1.2")]
    version = version.model_copy(update={"decisions": (decision(Decision.EDITED, 1, moved),)})
    assert [(box.finding, box.sop_instance_uid) for box in version.boxes] == [(2, "1.2")]


def test_an_edit_without_boxes_retains_the_marks_and_no_other_box_is_a_mark() -> None:
    marked = MASS.model_copy(update={"boxes": (BOX,)})
    draft = FOUND.model_copy(update={"report": Report(findings=(marked,)), "boxes": FOUND.boxes[:1]})
    smaller = MASS.model_copy(update={"size_mm": 7})
    for result in (smaller, smaller.model_copy(update={"boxes": (BOX,)})):
        (found,), _ = decided_findings(draft, (decision(Decision.EDITED, 1, result),))
        assert (found.size_mm, found.boxes) == (7, (BOX,))
    other = smaller.model_copy(update={"boxes": (BOX.model_copy(update={"left": 0.0}),)})
    with pytest.raises(ValueError, match="finding 1: boxes other than the draft's"):
        decided_findings(draft, (decision(Decision.EDITED, 1, other),))
    with pytest.raises(ValueError, match="an added finding has boxes"):
        decided_findings(draft, (decision(Decision.ADDED, result=marked),))


@pytest.mark.parametrize(
    "decisions",
    [(decision(Decision.REJECTED, 4),), (decision(Decision.REJECTED, 1), decision(Decision.ACCEPTED, 1))],
)
def test_decisions_about_no_finding_or_twice_about_one_are_refused(decisions: tuple[FindingDecision, ...]) -> None:
    with pytest.raises(ValueError, match="finding"):
        decided_findings(FOUND, decisions)
    with pytest.raises(ValidationError, match="finding"):
        ReportVersion(created_at=NOW, draft=FOUND, decisions=decisions, report=FOUND.report, text="a")


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "added", "finding": 1, "result": MASS},
        {"decision": "edited", "finding": 1},
        {"decision": "accepted", "finding": 1, "result": MASS},
        {"decision": "rejected"},
        {"decision": "added"},
    ],
)
def test_a_decision_has_what_it_needs(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FindingDecision.model_validate(fields)
