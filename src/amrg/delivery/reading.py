"""A report from a file: a draft as `amrg report` writes it, or a version as `amrg studies STUDY --json` prints it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from pydantic import ValidationError

from amrg.birads import Draft, ReportVersion, Status, unsigned_version
from amrg.core.values import first_complaint
from amrg.delivery.errors import DeliveryError


class ReportFileError(DeliveryError):
    """A file that has no report."""


def read_report(file: Path) -> ReportVersion:
    """The version that a file has; a draft is the first, unsigned version, of the time when its file was written.

    Raises:
        ReportFileError: it is not readable, no JSON, or neither a draft nor a version.
    """
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        raise ReportFileError(f"{file}: cannot be read ({error.strerror}); expected report.json") from error
    except ValueError as error:
        raise ReportFileError(f"{file.name}: no JSON; expected report.json, as `amrg report` writes it") from error
    document = _version_in(document)
    kind: type[Draft | ReportVersion] = ReportVersion if isinstance(document, dict) and "draft" in document else Draft
    try:
        found = kind.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise ReportFileError(f"{file.name}: no report, {first_complaint(error)}") from error
    if isinstance(found, ReportVersion):
        return found
    if found.report.status not in (Status.DRAFT, Status.PRELIMINARY):
        raise ReportFileError(f"{file.name}: report.status is {found.report.status}, but a draft is signed by nobody")
    written = datetime.datetime.fromtimestamp(int(file.stat().st_mtime), tz=datetime.UTC)
    return unsigned_version(found, written)


def _version_in(document: object) -> object:
    """The version within what the service prints of a study, whose `report` it is; else the document itself."""
    found = document.get("report") if isinstance(document, dict) else None
    return found if isinstance(found, dict) and "draft" in found else document
