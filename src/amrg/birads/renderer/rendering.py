"""`render`: a `Report` to narrative, in a report style and one of its wordings. `parse` reads all of them back."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from amrg.birads.renderer.cesm import render_cesm
from amrg.birads.renderer.clinical import render_clinical, render_impression_first
from amrg.birads.renderer.dmid import DMID_WORDINGS, render_dmid
from amrg.birads.renderer.facility import Facility
from amrg.birads.report import Report


class Style(StrEnum):
    """Report style of a narrative."""

    CLINICAL = "clinical"
    DMID = "dmid"
    IMPRESSION_FIRST = "impression-first"
    CESM = "cesm"


_FIXED: dict[Style, Callable[[Report, int, Facility | None], str]] = {
    Style.CLINICAL: render_clinical,
    Style.IMPRESSION_FIRST: render_impression_first,
}
WORDINGS = {Style.CLINICAL: 3, Style.IMPRESSION_FIRST: 3, Style.DMID: DMID_WORDINGS, Style.CESM: 3}
"""Number of wordings of each style."""

FACILITY_STYLES = tuple(_FIXED)
"""The styles that can take the wording that a law fixes."""

_OWN_WORDING: dict[Style, Callable[[Report, int], str]] = {Style.DMID: render_dmid, Style.CESM: render_cesm}
"""The styles of data sets, whose wording no law fixes."""


def render(
    report: Report,
    style: Style = Style.CLINICAL,
    wording: int | None = None,
    facility: Facility | None = None,
) -> str:
    """Write a report as narrative.

    `parse(render(r, style, wording)).report.stated() == r.stated()` holds for every report without `flaws`.
    Prose does not carry boxes, probabilities, narrative, status and provenance. Unconfirmed findings have a line each
    in the impression, and the recommendation names the findings that it is for; neither is read back.

    Args:
        report: What to write.
        style: `CLINICAL` has six parts (indication, technique, comparison, breast composition, findings,
            impression with recommendation); parts that the report does not state are omitted. `DMID` writes
            as the radiologists of that data set do, `CESM` as those of CDD-CESM. `IMPRESSION_FIRST` has the clinical
            parts with the conclusion at the top.
        wording: Which wording, counted modulo `WORDINGS` of the style; None is 0, the plainest and shortest.
        facility: Where the report is issued: with `US` the assessments and the breast density have the words that
            21 CFR 900.12(c)(1) fixes, the latter in the singular for an exam of one breast.

    Returns:
        The narrative, ending with a line break.

    Raises:
        ValueError: A data set's style with a facility: its words are those of the data set.
    """
    style, number = Style(style), (wording or 0) % WORDINGS[Style(style)]
    fixed = _FIXED.get(style)
    if fixed is not None:
        return fixed(report, number, None if facility is None else Facility(facility))
    if facility is not None:
        expected = " or ".join(FACILITY_STYLES)
        raise ValueError(f"style {style} has no wording for facility {facility}; expected {expected}")
    return _OWN_WORDING[style](report, number)
