"""What every output says in text: whether the report is signed and by whom, which AI drafted it, the report."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from amrg.birads.draft import NOTES_HEADING
from amrg.birads.lexicon import Status
from amrg.birads.report import Provenance
from amrg.birads.version import ReportVersion, Signature

_SIGNED = {
    Status.FINAL: "SIGNED REPORT",
    Status.AMENDED: "CORRECTED REPORT, replaces the earlier one",
    Status.APPENDED: "REPORT WITH ADDENDUM",
    Status.WITHDRAWN: "REPORT WITHDRAWN: do not use the earlier one",
}


def changed_at(version: ReportVersion) -> datetime.datetime:
    """When the version came to be: when it was signed, or drafted."""
    return version.signature.signed_at if version.signature is not None else version.created_at


def provenance(version: ReportVersion) -> Provenance | None:
    """Which software and model drafted it; None for a report that records neither."""
    return version.report.provenance or version.draft.report.provenance


def disclosure(version: ReportVersion) -> str:
    """That AI drafted the report, and by which model and software."""
    made = provenance(version)
    if made is None:
        return "Drafted by AI; the model is not recorded."
    adapter = f" with adapter {made.adapter}" if made.adapter else ""
    pinned = f" (SHA-256 {made.model_hash[:12]})" if made.model_hash else ""
    return f"Drafted by AI: model {made.model}{adapter}{pinned}, software {made.software}."


def heading(version: ReportVersion) -> Iterator[str]:
    """The first lines: an unsigned draft's banner, or how the report was signed; then that AI drafted it."""
    if version.signature is None:
        yield from version.draft.banner
    else:
        yield f"{_SIGNED[version.status]}. {_signed(version.signature)}"
        if version.reason:
            yield f"Reason: {version.reason}"
    yield disclosure(version)


def statement_lines(version: ReportVersion) -> list[str]:
    """All lines of the report as text. One that was withdrawn states only that; notes are a draft's alone."""
    lines = list(heading(version))
    if version.status is Status.WITHDRAWN:
        return lines
    if version.signature is None:
        lines += version.draft.model_copy(update={"study": None}).facts()
    lines += ["", *version.text.rstrip().splitlines()]
    notes = list(version.draft.notes()) if version.signature is None else []
    return [*lines, *(["", NOTES_HEADING, *notes] if notes else [])]


def _signed(signature: Signature) -> str:
    at = signature.signed_at.astimezone(datetime.UTC)
    return f"Signed by {readable_name(signature.name)}, {signature.organization}, {at:%Y-%m-%d %H:%M} UTC."


def readable_name(name: str) -> str:
    """A DICOM person name for people: `Dr Jane Doe` for `Doe^Jane^^Dr`."""
    family, given, middle, prefix, suffix = (name.split("=", maxsplit=1)[0].split("^") + [""] * 5)[:5]
    return " ".join(part.strip() for part in (prefix, given, middle, family, suffix) if part.strip())
