"""What every object says of itself before the report: its state, its version, and which AI model drafted it."""

from __future__ import annotations

from amrg.birads import ReportVersion, Signature, Status


def state_lines(version: ReportVersion) -> tuple[str, ...]:
    """Draft: the draft's own banner. Else who signed or withdrew it, when, what it replaces and who drafted it."""
    if version.signature is None:
        return version.draft.banner
    replaced = f" It replaces version {version.number - 1}." if version.number > 1 else ""
    by = signed_by(version.signature)
    opening = {
        Status.AMENDED: f"CORRECTED REPORT, version {version.number}, signed by {by}.{replaced}",
        Status.APPENDED: f"REPORT WITH ADDENDUM, version {version.number}, signed by {by}.{replaced}",
        Status.WITHDRAWN: f"WITHDRAWN by {by}: do not use this report or any earlier version of it.",
    }.get(version.status, f"SIGNED REPORT, version {version.number}, signed by {by}.")
    reason = f"Reason: {version.reason}".splitlines() if version.reason else ()
    return (opening, *reason, disclosure(version), *version.draft.banner[1:])


def disclosure(version: ReportVersion) -> str:
    """That AI took part, and which."""
    made = version.draft.report.provenance
    model = "an AI model" if made is None else f"AI model {made.model}"
    software = "" if made is None else f" ({made.software})"
    if version.signature is None:
        return f"Drafted by {model}{software}; nobody has reviewed it."
    if version.status is Status.WITHDRAWN:
        return f"Drafted by {model}{software}."
    return f"Drafted by {model}{software}; reviewed by {display_name(version.signature.name)}."


def study_lines(version: ReportVersion) -> tuple[str, ...]:
    """Which study and images it is of; of a draft also what is known of the images."""
    if version.signature is None:
        return tuple(version.draft.facts())
    return tuple(version.draft.study.lines()) if version.draft.study is not None else ()


def note_lines(version: ReportVersion) -> tuple[str, ...]:
    """What a reader must know of a draft. Whoever signs has read the notes, and answers for the report without them."""
    return () if version.signature is not None else tuple(version.draft.notes())


def short_state(version: ReportVersion) -> str:
    """The state in a few words, as lists of series and the head of a page show it."""
    words = {
        Status.FINAL: "signed",
        Status.AMENDED: "signed, corrected",
        Status.APPENDED: "signed, addendum",
        Status.WITHDRAWN: "WITHDRAWN",
    }
    if version.status not in words:
        return f"DRAFT - not signed (v{version.number})"
    return f"{words[version.status]} v{version.number}"


def signed_by(signature: Signature) -> str:
    """Who signed, of which organization, when: `Dr. Anna Müller, Breast Centre, 2026-01-31 09:12+01:00`."""
    at = signature.signed_at.isoformat(sep=" ", timespec="minutes")
    return f"{display_name(signature.name)}, {signature.organization}, {at}"


def display_name(name: str) -> str:
    """A DICOM person name as people write it: prefix, given, middle, family, suffix."""
    family, given, middle, prefix, suffix = (*name.split("^"), "", "", "", "", "")[:5]
    return " ".join(part.strip() for part in (prefix, given, middle, family, suffix) if part.strip())
