"""The report as text, as every output without sections of its own states it."""

from __future__ import annotations

import datetime

from amrg.birads.lexicon import Status
from amrg.birads.text.draft_lines import NOTES_HEADING
from amrg.birads.version import ReportVersion
from amrg.delivery.dicom.statement import disclosure, state_lines


def changed_at(version: ReportVersion) -> datetime.datetime:
    """When the version came to be: when it was signed, or drafted."""
    return version.signature.signed_at if version.signature is not None else version.created_at


def statement_lines(version: ReportVersion) -> list[str]:
    """All lines: state, AI disclosure, report. One that was withdrawn states only that; notes are a draft's alone."""
    lines = list(state_lines(version))
    if version.status is Status.WITHDRAWN:
        return lines
    if version.signature is None:
        lines.append(disclosure(version))
        lines += version.draft.model_copy(update={"study": None}).facts()
    lines += ["", *version.text.rstrip().splitlines()]
    notes = list(version.draft.notes()) if version.signature is None else []
    return [*lines, *(["", NOTES_HEADING, *notes] if notes else [])]
