"""The picture of a report's views, as its PDF takes it."""

from __future__ import annotations

from io import BytesIO

from amrg.birads import ReportVersion, Status
from amrg.imaging import Study, around_breast, contact_sheet, finding_marks


def view_picture(version: ReportVersion, study: Study) -> bytes | None:
    """The views as they hang, with the marks of the version's findings, as PNG; None for a report that was withdrawn.

    Raises:
        ImagingError: a view's file is missing or not readable.
    """
    if version.status is Status.WITHDRAWN:
        return None
    content = BytesIO()
    contact_sheet(study, finding_marks(version.report.findings), around_breast).save(content, format="PNG")
    return content.getvalue()
