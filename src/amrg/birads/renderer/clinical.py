"""The six-part clinical style: indication, technique, comparison, composition, findings, impression; in two orders."""

from __future__ import annotations

from amrg.birads.lexicon import Category, Change, Composition, Indication, Kind, Laterality, Recommendation
from amrg.birads.renderer.exam import mastectomy, one_breast, other_advice, subject, technique, unconfirmed
from amrg.birads.renderer.facility import Facility, assessment_words, density_sentence
from amrg.birads.renderer.phrasing import (
    CHANGE,
    SIDE,
    adjectives,
    calcium_words,
    categories,
    comparison,
    denials,
    in_a_line,
    join_words,
    noun,
    sentence,
    whereabouts,
    with_article,
)
from amrg.birads.report import Finding, Report

_INDICATION = {Indication.SCREENING: "Screening mammogram.", Indication.DIAGNOSTIC: "Diagnostic mammogram."}
_COMPOSITION = {
    Composition.A: "The breasts are almost entirely fatty (ACR A).",
    Composition.B: "The breasts have scattered fibroglandular tissue (ACR B).",
    Composition.C: "The breasts are heterogeneously dense (ACR C).",
    Composition.D: "The breasts are extremely dense (ACR D).",
}
_MEANING = {
    Category.INCOMPLETE: "incomplete",
    Category.NEGATIVE: "negative",
    Category.BENIGN: "benign",
    Category.PROBABLY_BENIGN: "probably benign",
    Category.SUSPICIOUS: "suspicious",
    Category.LOW_SUSPICION: "low suspicion",
    Category.MODERATE_SUSPICION: "moderate suspicion",
    Category.HIGH_SUSPICION: "high suspicion",
    Category.HIGHLY_SUGGESTIVE: "highly suggestive of malignancy",
    Category.KNOWN_MALIGNANCY: "proven malignancy",
}
_ADVICE = (
    {r: f"{r.value.capitalize()}{{}}." for r in Recommendation},
    {
        Recommendation.ROUTINE: "Routine screening{} is recommended.",
        Recommendation.ADDITIONAL_IMAGING: "Additional imaging{} is recommended.",
        Recommendation.SHORT_INTERVAL: "Short-interval follow-up{} is recommended.",
        Recommendation.BIOPSY: "Biopsy{} is recommended.",
        Recommendation.SURGICAL: "Surgical excision{} is recommended.",
    },
    {
        Recommendation.ROUTINE: "Return to annual screening mammography{}.",
        Recommendation.ADDITIONAL_IMAGING: "Further evaluation{} with additional views or ultrasound is advised.",
        Recommendation.SHORT_INTERVAL: "Follow-up mammogram in 6 months{} is advised.",
        Recommendation.BIOPSY: "Tissue sampling{} is advised.",
        Recommendation.SURGICAL: "Surgical consultation{} is advised.",
    },
)
_DENIED: dict[Kind, str] = {}


def render_clinical(report: Report, wording: int, facility: Facility | None = None) -> str:
    """A report in the clinical style; parts that it does not state are omitted."""
    findings, impression = _findings(report, wording), _impression(report, wording, facility)
    return _text([*_opening(report), *_composition(report, facility), *findings, *impression])


def render_impression_first(report: Report, wording: int, facility: Facility | None = None) -> str:
    """The same parts with the conclusion at the top, for who reads no further; indication and technique come last."""
    findings, impression = _findings(report, wording), _impression(report, wording, facility)
    return _text([*impression, *_composition(report, facility), *findings, *_opening(report)])


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _opening(report: Report) -> list[str]:
    """Why and how, and what it is compared with."""
    lines = [] if report.indication is None else [f"INDICATION: {_INDICATION[report.indication]}"]
    lines += [f"HISTORY: {mastectomy(report)}"] if report.mastectomy else []
    lines.append(f"TECHNIQUE: {technique(report)}")
    if report.comparison is not None:
        lines.append(f"COMPARISON: {comparison(report.comparison)}")
    return lines


def _composition(report: Report, facility: Facility | None) -> list[str]:
    if report.composition is None:
        return []
    fixed = facility is Facility.US
    text = density_sentence(report, report.composition) if fixed else _COMPOSITION[report.composition]
    if not fixed and one_breast(report):
        text = text.replace("The breasts are", "The breast is").replace("The breasts have", "The breast has")
    return [f"BREAST COMPOSITION: {text}"]


def _findings(report: Report, wording: int) -> list[str]:
    """A line a finding, and what is not there."""
    return ["FINDINGS:", *(_finding(f, wording) for f in report.findings), *_denials(report, wording)]


def _denials(report: Report, wording: int) -> list[str]:
    """What is not there, a line a side; a plain sentence where the report names neither findings nor denials."""
    if not report.findings and not report.negatives:
        return ["No finding described."]
    opening = ("No", "There is no", "No evidence of")[wording]
    return [
        f"{opening} {join_words(words, 'or')}{_on_side(side)}." for side, words in denials(report.negatives, _DENIED)
    ]


def _on_side(side: Laterality | None) -> str:
    return "" if side is None else f" in the {SIDE[side]} breast"


def _impression(report: Report, wording: int, facility: Facility | None) -> list[str]:
    """Categories a side, what is unconfirmed, and the advice."""
    if not report.assessments and not report.unconfirmed and report.recommendation is None:
        return []
    lines = ["IMPRESSION:"]
    for side, found in categories(report.assessments):
        who = "Overall" if side is None else f"{SIDE[side].capitalize()} breast"
        meaning = f" ({_MEANING[Category(found[0])]})" if wording and len(found) == 1 else ""
        if facility is Facility.US:
            lines.append(f"{who}: {assessment_words(report, found)} (BI-RADS {join_words(found)}).")
        else:
            lines.append(f"{who}: BI-RADS {join_words(found)}{meaning}.")
    lines += [f"UNCONFIRMED: {line}" for line in unconfirmed(report)]
    if report.recommendation is not None:
        advice = _ADVICE[wording]
        others = (advice[step].format(f" of the {SIDE[side]} breast") for side, step in other_advice(report))
        lines.append(" ".join([f"RECOMMENDATION: {advice[report.recommendation].format(_subject(report))}", *others]))
    return lines


def _subject(report: Report) -> str:
    """What the recommendation is for; routine screening is for all."""
    return "" if report.recommendation is Recommendation.ROUTINE else subject(report)


def _finding(finding: Finding, wording: int) -> str:
    """One finding as one sentence."""
    if wording == 0:
        return _place_first(finding)
    phrase = " ".join([*_before_noun(finding, wording), noun(finding)])
    text = with_article(finding, phrase) + in_a_line(finding) + _after_noun(finding, wording)
    where = _prose_place(finding)
    if wording == 1:
        opening = "there are " if finding.multiple or finding.kind is Kind.CALCIFICATIONS else "there is "
        return sentence(opening + text + where + _tail(finding))
    verb = " are seen" if finding.multiple or finding.kind is Kind.CALCIFICATIONS else " is seen"
    return sentence(text + verb + where + _tail(finding))


def _place_first(finding: Finding) -> str:
    """Place, colon, what is there: the compact wording."""
    side = [] if finding.laterality is None else [f"{SIDE[finding.laterality]} breast"]
    where = ", ".join([*side, *whereabouts(finding.location)])
    phrase = " ".join([*_before_noun(finding, 0), noun(finding)])
    return sentence((f"{where}: " if where else "") + phrase + in_a_line(finding) + _tail(finding))


def _before_noun(finding: Finding, wording: int) -> list[str]:
    """Adjectives in their order."""
    words = adjectives(finding)
    words += [] if finding.shape is None else [finding.shape.value]
    if finding.margin is not None and wording != 1:
        words.append(finding.margin.value)
    if finding.density is not None and wording != 1:
        words.append(finding.density.value.replace(" ", "-"))
    return words + calcium_words(finding)


def _after_noun(finding: Finding, wording: int) -> str:
    """What wording 1 writes after the noun."""
    if wording != 1:
        return ""
    density = "" if finding.density is None else f" of {finding.density.value}"
    if finding.density is not None and finding.density.value.startswith("fat"):
        density = ", fat-containing"
    margin = "" if finding.margin is None else f" with {finding.margin.value} margins"
    return (margin + density) if density.startswith(",") else (density + margin)


def _prose_place(finding: Finding) -> str:
    """`in the upper outer quadrant of the right breast, at 10 o'clock, ...`."""
    place, side = finding.location, finding.laterality
    words = whereabouts(place)
    breast = "" if side is None else f"the {SIDE[side]} breast"
    if place.quadrant is not None:
        opening = f" in the {words.pop(0)}" + (f" of {breast}" if breast else "")
    else:
        opening = f" in {breast}" if breast else ""
    return opening + "".join(f", {'at ' if 'clock' in word else ''}{word}" for word in words)


def _tail(finding: Finding) -> str:
    """Size, companions, views, change and category, each after a comma."""
    parts = [] if finding.size_mm is None else [f"{finding.size_mm} mm"]
    if finding.associated:
        parts.append(f"with {join_words([k.value for k in finding.associated])}")
    if finding.views:
        parts.append(f"on {join_words([v.value for v in finding.views])} view{'s' if len(finding.views) > 1 else ''}")
    if finding.change is not None and finding.change is not Change.NEW:
        parts.append(CHANGE[finding.change])
    category = "" if finding.category is None else f" (BI-RADS {finding.category.value})"
    return "".join(f", {part}" for part in parts) + category
