"""The report style of DMID: soft opacities, well and ill defined, a category line before the findings."""

from __future__ import annotations

from amrg.birads.lexicon import (
    Change,
    Composition,
    Density,
    Edition,
    Kind,
    Margin,
    Quadrant,
    Recommendation,
    Shape,
)
from amrg.birads.renderer.exam import mastectomy, technique, unconfirmed
from amrg.birads.renderer.phrasing import (
    CHANGE,
    EDITION,
    SIDE,
    calcium_words,
    categories,
    comparison,
    denials,
    in_a_line,
    join_words,
    noun,
    region,
    sentence,
    with_article,
)
from amrg.birads.report import Finding, Location, Report

_COMPOSITION = {
    Composition.A: "predominantly fibro fatty breast parenchyma (ACR A).",
    Composition.B: "fibro fatty and glandular breast parenchyma (ACR B).",
    Composition.C: "fibro glandular breast parenchyma (ACR C).",
    Composition.D: "dense fibro glandular breast parenchyma (ACR D).",
}
_MARGIN = {
    Margin.CIRCUMSCRIBED: "well-defined",
    Margin.OBSCURED: "partially obscured",
    Margin.MICROLOBULATED: "microlobulated",
    Margin.INDISTINCT: "ill-defined",
}
_DENSITY = {
    Density.HIGH: "hyperdense",
    Density.EQUAL: "isodense",
    Density.LOW: "hypodense",
    Density.FAT: "fat-containing",
}
_DENIED = {
    Kind.MASS: "abnormal soft opacity",
    Kind.CALCIFICATIONS: "abnormal microcalcification",
    Kind.AXILLARY_NODE: "significant axillary adenopathy",
}
_ADVICE = {
    Recommendation.ROUTINE: "Routine screening is advised.",
    Recommendation.ADDITIONAL_IMAGING: "Ultrasound correlation is suggested.",
    Recommendation.SHORT_INTERVAL: "Short-interval follow-up is advised.",
    Recommendation.BIOPSY: "Biopsy is advised.",
    Recommendation.SURGICAL: "Surgical excision is advised.",
}
_SKIN_AND_NIPPLE = "abnormal skin and nipple"


def render_dmid(report: Report, wording: int) -> str:
    """A report as the radiologists of DMID write."""
    lines: list[str] = []
    if report.indication is not None:
        lines += [f"Indication: {report.indication.value} mammogram.", ""]
    if report.mastectomy:
        lines += [f"History: {mastectomy(report)}", ""]
    if report.technique is not None:
        lines += [f"Technique: {technique(report)}", ""]
    elif report.edition is not Edition.FIFTH:
        lines += [f"Technique: {EDITION[report.edition]}.", ""]
    if report.comparison is not None:
        lines += [f"Comparison: {comparison(report.comparison)}", ""]
    if report.composition is not None:
        lines += ["Breast Composition:", _COMPOSITION[report.composition], ""]
    lines += _categories(report)
    for line in unconfirmed(report):
        lines += [f"Unconfirmed: {line}", ""]
    lines += ["Findings:", *(_finding(f, wording) for f in report.findings), *_denials(report, wording)]
    if report.recommendation is not None:
        lines.append(_ADVICE[report.recommendation])
    return "\n".join(lines) + "\n"


def _categories(report: Report) -> list[str]:
    """`BIRADS: 3, 4a`, a line a side."""
    lines = [
        f"BIRADS{'' if side is None else f' ({SIDE[side]} breast)'}: {', '.join(found).lower()}"
        for side, found in categories(report.assessments)
    ]
    return [*lines, ""] if lines else []


def _denials(report: Report, wording: int) -> list[str]:
    """What is not there, a sentence a side."""
    if not report.findings and not report.negatives:
        return ["No finding described."]
    verb = ("", " seen", " is seen")[wording]
    lines = []
    for side, words in denials(report.negatives, _DENIED):
        of_breast = "" if side is None else f" in the {SIDE[side]} breast"
        lines.append(f"No {join_words(words, 'or')}{verb}{of_breast}.")
    return lines


def _finding(finding: Finding, wording: int) -> str:
    """One finding as one sentence."""
    verb = (" seen", " is seen", " noted")[wording]
    phrase = with_article(finding, " ".join([*_before_noun(finding), _noun(finding)]))
    spiculated = " with spiculated margin" if finding.margin is Margin.SPICULATED else ""
    with_what = ""
    if finding.associated:
        with_what = f" with associated {join_words([k.value for k in finding.associated])}"
    category = "" if finding.category is None else f" (BIRADS {finding.category.value.lower()})"
    phrase += in_a_line(finding)
    text = f"{phrase}{spiculated}{verb}{_place(finding)}{with_what}{_tail(finding)}{_looks(finding, wording)}{category}"
    return sentence(text)


def _before_noun(finding: Finding) -> list[str]:
    """Adjectives as DMID writes them."""
    words = ["possible"] if finding.certainty == "possible" else []
    words += ["new"] if finding.change is Change.NEW else []
    words += ["multiple"] if finding.multiple else []
    words += [_MARGIN[finding.margin]] if finding.margin in _MARGIN else []
    words += [] if finding.shape is None else [_shape(finding.shape)]
    words += [] if finding.density is None else [_DENSITY[finding.density]]
    return words + calcium_words(finding)


def _shape(shape: Shape) -> str:
    return shape.value


def _noun(finding: Finding) -> str:
    """A mass is a soft opacity here."""
    if finding.kind is Kind.MASS:
        return "soft opacities" if finding.multiple else "soft opacity"
    return noun(finding)


def _place(finding: Finding) -> str:
    """`in the posterior aspect of outer quadrant of the left breast at 2 o'clock`."""
    place, breast = finding.location, "" if finding.laterality is None else f" of the {SIDE[finding.laterality]} breast"
    if place.quadrant is not None:
        opening = f" in the {_region(place.quadrant)}{breast}"
    else:
        opening = f" in the {breast.removeprefix(' of the ')}" if breast else ""
    return opening + _fine_place(place)


def _region(quadrant: Quadrant) -> str:
    """DMID calls halves quadrants."""
    return region(quadrant).replace(" half", " quadrant")


def _fine_place(place: Location) -> str:
    """Clock face, depth and distance."""
    clock = "" if place.clock is None else f" at {place.clock} o'clock"
    depth = "" if place.depth is None else f" at {place.depth.value} depth"
    distance = "" if place.nipple_distance_mm is None else f" {place.nipple_distance_mm} mm from the nipple"
    return clock + depth + distance


def _tail(finding: Finding) -> str:
    """Size, views and change."""
    size = "" if finding.size_mm is None else f", measuring {finding.size_mm} mm"
    views = f", in {join_words([v.value for v in finding.views])} view" if finding.views else ""
    changed = finding.change is not None and finding.change is not Change.NEW
    return size + views + (f", {CHANGE[finding.change]}" if changed and finding.change else "")


def _looks(finding: Finding, wording: int) -> str:
    """`suggests a benign lesion`."""
    if finding.benign_looking is None:
        return ""
    verb = ("suggests", "may suggest", "appears to be")[wording]
    return f" {verb} a {'benign' if finding.benign_looking else 'suspicious'} lesion"
