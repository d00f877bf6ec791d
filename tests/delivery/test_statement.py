"""What a person wrote in lines, as browsers end them, reaches every standard in lines."""

from __future__ import annotations

import json

import pytest

from amrg.birads import Status
from amrg.delivery.dicom.statement import state_lines
from amrg.delivery.formats import FORMATS, Outgoing
from amrg.delivery.hl7.escaping import LINE_BREAK
from amrg.delivery.source import SourceStudy
from tests.delivery.exams import drafted, headers, version_of

REASON = "report of another patient\r\nsee her study\rsigned by mistake"
LINES = ("Reason: report of another patient", "see her study", "signed by mistake")


@pytest.mark.parametrize("status", [Status.AMENDED, Status.WITHDRAWN])
def test_a_reason_in_lines_is_stated_in_every_format(status: Status) -> None:
    version = version_of(drafted(), status).model_copy(update={"reason": REASON})
    assert state_lines(version)[1:4] == LINES
    written = {name: FORMATS[name].write(Outgoing(version, SourceStudy(headers()))) for name in FORMATS}
    assert LINE_BREAK.join(LINES) in written["hl7"].decode()
    assert "\n".join(LINES).encode() in written["sr"]
    resources = [entry["resource"] for entry in json.loads(written["fhir"])["entry"]]
    (report,) = (r for r in resources if r["resourceType"] == "DiagnosticReport")
    (provenance,) = (r for r in resources if r["resourceType"] == "Provenance")
    assert "\n".join(LINES) in report["conclusion"]
    assert provenance["reason"][0]["text"] == "\n".join(LINES).removeprefix("Reason: ")
