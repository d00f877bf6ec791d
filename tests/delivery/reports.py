"""The drawn exam with a finding, as a version of any status with any text, and its headers with any change."""

from __future__ import annotations

from amrg.birads import Report, ReportVersion, Status, View, render
from amrg.delivery.source import SourceStudy
from tests.delivery.exams import VIEWS, drafted, finding, headers, version_of

DRAFT = drafted([finding(View.CC, View.MLO)])
REPORT = DRAFT.report


def a_version(
    status: Status = Status.FINAL, report: Report = REPORT, text: str = "", number: int | None = None
) -> ReportVersion:
    """A version of a report, signed where its status needs it."""
    draft = DRAFT.model_copy(update={"report": report, "text": text or render(report) or "No finding."})
    version = version_of(draft, status)
    return version if number is None else version.model_copy(update={"number": number})


def a_source(**changes: object) -> SourceStudy:
    """The headers of its four images; `changes` are keywords of DICOM for all of them."""
    return SourceStudy(headers(VIEWS, **{"IssuerOfPatientID": "HOSPITAL", **changes}))
