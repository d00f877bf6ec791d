"""How the lines of a draft begin that are not its report: `amrg.birads.draft` writes them, the parser skips them."""

from __future__ import annotations

import re
from enum import StrEnum


class LineStart(StrEnum):
    """The first words of a line before the report."""

    BANNER = "UNVERIFIED DRAFT, written by AI model"
    NOT_A_MAMMOGRAM = "NOT A MAMMOGRAM:"
    OUTSIDE_DOMAIN = "OUTSIDE THE MODEL'S DOMAIN:"
    INCOMPLETE_STUDY = "INCOMPLETE STUDY:"
    PATIENT = "Patient:"
    STUDY_DATE = "Study date:"
    COMPARISON = "Comparison: mammogram of"
    ACCESSION_NUMBER = "Accession number:"
    PATIENT_KEY = "Patient key:"
    STUDY_UID = "Study Instance UID:"
    SUSPICION = "Suspicion of an abnormal exam:"


NOT_COMPARED = "(not used)"
"""How the line ends that names an earlier mammogram; a report's own comparison ends otherwise."""
IMAGE_UID = "SOP Instance UID:"
"""In the line of an image, after its side and view."""
NOTES_HEADING = "NOTES (not part of the report):"
"""The line after the report."""


def _pattern() -> re.Pattern[str]:
    starts = [re.escape(s) for s in LineStart if s is not LineStart.COMPARISON]
    compared = f"{re.escape(LineStart.COMPARISON)} .* {re.escape(NOT_COMPARED)}$"
    return re.compile("|".join([*starts, compared, f"[A-Z]{{2,6}} {IMAGE_UID}", "$"]))


BEFORE_REPORT = _pattern()
"""A line before the report of a draft, or an empty one."""
