"""The report style of CDD-CESM: density before the noun, the margin after it, what overlies it, a line a finding."""

from __future__ import annotations

from amrg.birads.lexicon import Change, Edition, Kind, Recommendation
from amrg.birads.renderer.exam import mastectomy, technique, unconfirmed
from amrg.birads.renderer.phrasing import (
    CHANGE,
    EDITION,
    SIDE,
    adjectives,
    calcium_words,
    categories,
    comparison,
    denials,
    in_a_line,
    join_words,
    noun,
    region,
    sentence,
)
from amrg.birads.report import Finding, Report

_NOUNS = {
    Kind.ASYMMETRY: ("asymmetrical increased density", "asymmetrical increased densities"),
    Kind.FOCAL_ASYMMETRY: ("focal asymmetrical increased density", "focal asymmetrical increased densities"),
    Kind.GLOBAL_ASYMMETRY: ("global asymmetrical increased density",) * 2,
    Kind.TRABECULAR_THICKENING: ("edema pattern", "areas of edema pattern"),
}
_LINK = ("with", "with overlying", "with associated")
_ADVICE = {
    Recommendation.ROUTINE: "Routine screening.",
    Recommendation.ADDITIONAL_IMAGING: "Additional imaging is recommended.",
    Recommendation.SHORT_INTERVAL: "Short-interval follow-up is recommended.",
    Recommendation.BIOPSY: "Biopsy is recommended.",
    Recommendation.SURGICAL: "Surgical excision is recommended.",
}
_DENIED: dict[Kind, str] = {}


def render_cesm(report: Report, wording: int) -> str:
    """A report as the radiologists of CDD-CESM annotate: `ACR C.`, the findings, the categories."""
    lines = [] if report.indication is None else [f"Indication: {report.indication.value} mammogram."]
    lines += [f"History: {mastectomy(report)}"] if report.mastectomy else []
    if report.technique is not None:
        lines.append(f"Technique: {technique(report)}")
    elif report.edition is not Edition.FIFTH:
        lines.append(f"Technique: {EDITION[report.edition]}.")
    lines += [] if report.comparison is None else [f"Comparison: {comparison(report.comparison)}"]
    lines += [] if report.composition is None else [f"Density: ACR {report.composition.upper()}."]
    lines += ["Findings:", *(_finding(f, wording) for f in report.findings), *_denials(report, wording)]
    for side, found in categories(report.assessments):
        lines.append(f"BI-RADS{'' if side is None else f' ({SIDE[side]} breast)'}: {', '.join(found)}.")
    lines += [f"Unconfirmed: {line}" for line in unconfirmed(report)]
    lines += [] if report.recommendation is None else [f"Recommendation: {_ADVICE[report.recommendation]}"]
    return "\n".join(lines) + "\n"


def _denials(report: Report, wording: int) -> list[str]:
    """What is not there, a sentence a side."""
    if not report.findings and not report.negatives:
        return ["No finding described."]
    opening = ("No", "No evidence of", "There is no")[wording]
    return [
        f"{opening} {join_words(words, 'or')}{'' if side is None else f' in the {SIDE[side]} breast'}."
        for side, words in denials(report.negatives, _DENIED)
    ]


def _finding(finding: Finding, wording: int) -> str:
    """One finding as one sentence."""
    words = adjectives(finding)
    words += [finding.density.value] if finding.density is not None else []
    words += [finding.shape.value] if finding.shape is not None else []
    phrase = " ".join([*words, *calcium_words(finding), _noun(finding)]) + in_a_line(finding)
    margin = "" if finding.margin is None else f" with {finding.margin.value} margin"
    companions = ""
    if finding.associated:
        link = "and" if margin and not wording else _LINK[wording]
        companions = f" {link} {join_words([k.value for k in finding.associated])}"
    return sentence(phrase + margin + companions + _place(finding) + _tail(finding))


def _noun(finding: Finding) -> str:
    """An asymmetry is an asymmetrical increased density here."""
    if finding.kind in _NOUNS:
        return _NOUNS[finding.kind][finding.multiple]
    return noun(finding)


def _place(finding: Finding) -> str:
    """`, upper outer quadrant of the left breast at 2 o'clock, posterior depth`."""
    place = finding.location
    breast = "" if finding.laterality is None else f"{SIDE[finding.laterality]} breast"
    where = "" if place.quadrant is None else region(place.quadrant)
    named = f"{where} of the {breast}" if where and breast else where or breast
    parts = [named] if named else []
    parts += [] if place.clock is None else [f"at {place.clock} o'clock"]
    parts += [] if place.depth is None else [f"{place.depth.value} depth"]
    parts += [] if place.nipple_distance_mm is None else [f"{place.nipple_distance_mm} mm from the nipple"]
    return "".join(f", {part}" for part in parts)


def _tail(finding: Finding) -> str:
    """Size, views, change and category."""
    parts = [] if finding.size_mm is None else [f"{finding.size_mm} mm"]
    parts += [f"on {join_words([v.value for v in finding.views])}"] if finding.views else []
    if finding.change is not None and finding.change is not Change.NEW:
        parts.append(CHANGE[finding.change])
    category = "" if finding.category is None else f" (BI-RADS {finding.category.value})"
    return "".join(f", {part}" for part in parts) + category
