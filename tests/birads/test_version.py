"""Versions of a report: signed where they say so, exact through JSON."""

from __future__ import annotations

import datetime

import pytest
from pydantic import ValidationError

from amrg.birads import Draft, Report, ReportVersion, Signature, Status, unsigned_version

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
