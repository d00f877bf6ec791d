"""`render`: a `Report` to narrative, in a report style and one of its wordings. `parse` reads all of them back."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from amrg.birads.renderer.clinical import render_clinical, render_impression_first
from amrg.birads.renderer.dmid import render_dmid
from amrg.birads.report import Report


class Style(StrEnum):
    """Report style of a narrative."""

    CLINICAL = "clinical"
    DMID = "dmid"
    IMPRESSION_FIRST = "impression-first"


WORDINGS = 3
"""Number of wordings that each style has."""

_STYLES: dict[Style, Callable[[Report, int], str]] = {
    Style.CLINICAL: render_clinical,
    Style.DMID: render_dmid,
    Style.IMPRESSION_FIRST: render_impression_first,
}


def render(report: Report, style: Style = Style.CLINICAL, wording: int | None = None) -> str:
    """Write a report as narrative.

    `parse(render(r, style, wording)).report.stated() == r.stated()` holds for every report without `flaws`.
    Prose does not carry boxes, probabilities, narrative, status and provenance.

    Args:
        report: What to write.
        style: `CLINICAL` has six parts (indication, technique, comparison, breast composition, findings,
            impression with recommendation); parts that the report does not state are omitted. `DMID` writes
            as the radiologists of that data set do. `IMPRESSION_FIRST` has the clinical parts with the
            conclusion at the top.
        wording: Which wording, counted modulo `WORDINGS`; None is 0, the plainest and shortest.

    Returns:
        The narrative, ending with a line break.
    """
    return _STYLES[Style(style)](report, (wording or 0) % WORDINGS)
