"""The report style of DMID: soft opacities, well and ill defined, a category line before the findings or after them.

Each wording takes every choice of words by its number, so that `DMID_WORDINGS` of them have all words that are here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from amrg.birads.lexicon import (
    Category,
    Change,
    Composition,
    Density,
    Depth,
    Edition,
    Kind,
    Laterality,
    Margin,
    Morphology,
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
    in_a_line,
    join_words,
    noun,
    region,
    sentence,
    with_article,
)
from amrg.birads.report import Finding, Location, Negative, Report

DMID_WORDINGS = 12
"""Number of wordings: each choice has 1, 2, 3, 4 or 6 ways."""

_COMPOSITION = {
    Composition.A: (
        "predominantly fibro fatty breast parenchyma (ACR A).",
        "fibro fatty breast parenchyma (ACR A).",
        "predominantly fibro fatty and scattered glandular breast parenchyma (ACR-A).",
        "predominantly fibro fatty breast parenchyma seen (ACR A).",
    ),
    Composition.B: (
        "fibro fatty and glandular breast parenchyma (ACR B).",
        "fibro fatty and scattered glandular breast parenchyma (ACR B).",
        "predominantly fibro fatty with scattered glandular breast parenchyma (ACR-B).",
        "fibrofatty and glandular breast parenchyma (ACR B).",
    ),
    Composition.C: (
        "fibro glandular breast parenchyma (ACR C).",
        "fibro fatty and glandular breast parenchyma (ACR C).",
        "dense fibro glandular breast parenchyma (ACR-C).",
        "fibroglandular breast parenchyma seen (ACR C).",
    ),
    Composition.D: (
        "dense fibro glandular breast parenchyma (ACR D).",
        "fibro glandular breast parenchyma (ACR D).",
        "dense fibro fatty and glandular breast parenchyma (ACR-D).",
        "dense fibroglandular breast parenchyma seen (ACR D).",
    ),
}
_MARGIN = {
    Margin.CIRCUMSCRIBED: ("well-defined", "well defined", "encapsulated"),
    Margin.OBSCURED: ("partially obscured", "partially defined"),
    Margin.MICROLOBULATED: ("microlobulated",),
    Margin.INDISTINCT: ("ill-defined", "ill defined"),
}
_SPICULATED = (" with spiculated margin", " with spiculated margins", " with spicules")
_DENSITY = {
    Density.HIGH: "hyperdense",
    Density.EQUAL: "isodense",
    Density.LOW: "hypodense",
    Density.FAT: "fat-containing",
}
_SHAPE = {Shape.LOBULATED: ("lobulated", "macrolobulated", "slightly lobulated")}
_MORPHOLOGY = {Morphology.COARSE: ("coarse", "popcorn"), Morphology.RIM: ("rim", "eggshell")}
_NOUN = {
    Kind.MASS: (
        ("soft opacity", "soft opacities"),
        ("soft nodular opacity", "soft nodular opacities"),
        ("opacity", "opacities"),
    ),
    Kind.CALCIFICATIONS: (
        ("calcifications",) * 2,
        ("microcalcifications",) * 2,
        ("calcification",) * 2,
        ("foci of microcalcifications",) * 2,
    ),
    Kind.ASYMMETRY: (("asymmetric density", "asymmetric densities"), ("asymmetry", "asymmetries")),
    Kind.FOCAL_ASYMMETRY: (("focal asymmetric density", "focal asymmetric densities"),),
    Kind.AXILLARY_NODE: (
        ("axillary adenopathy", "axillary adenopathies"),
        ("axillary node", "axillary nodes"),
        ("axillary lymph node", "axillary lymph nodes"),
        ("axillary lymphadenopathy", "axillary lymphadenopathies"),
    ),
}
_SMALLER_THAN = ((6, "tiny"), (16, "small"), (31, ""), (61, "large"), (301, "huge"))
"""Sizes in mm below which a finding has a word, the smallest first; our own bounds: DMID's reports give no size."""
_LOOKS_BENIGN = (
    "a benign lesion",
    "probably a benign lesion",
    "a benign-looking lesion",
    "a probably benign lesion",
)
_LOOKS_SUSPICIOUS = {
    Category.LOW_SUSPICION: ("a low suspicious lesion",),
    Category.MODERATE_SUSPICION: ("a moderate suspicious lesion",),
    Category.HIGH_SUSPICION: ("a high suspicious malignant lesion", "a suspicious malignant lesion"),
    Category.HIGHLY_SUGGESTIVE: ("a malignant lesion", "a high suspicious malignant lesion"),
}
_LOOKS_VERB = ("suggests", "may suggest", "appears to be", "suggest", "seems to be", "suggesting")
_LINK = ("with associated", "with overlying", "causing", "resulting in")
_DENIED = {
    Kind.MASS: ("abnormal soft opacity", "soft opacity"),
    Kind.CALCIFICATIONS: ("abnormal microcalcification", "microcalcification", "abnormal calcification"),
    Kind.AXILLARY_NODE: ("significant axillary adenopathy", "axillary adenopathy", "significant axillary nodes"),
}
_STRUCTURES = {Kind.SKIN_THICKENING: "skin", Kind.NIPPLE_RETRACTION: "nipple"}
_DEPTH = {
    Depth.ANTERIOR: ("anterior aspect", "anterior part"),
    Depth.MIDDLE: ("mid part", "middle part"),
    Depth.POSTERIOR: ("posterior aspect", "posterior part"),
}
_ADVICE = {
    Recommendation.ROUTINE: "Routine screening is advised.",
    Recommendation.ADDITIONAL_IMAGING: "Ultrasound correlation is suggested.",
    Recommendation.SHORT_INTERVAL: "Short-interval follow-up is advised.",
    Recommendation.BIOPSY: "Biopsy is advised.",
    Recommendation.SURGICAL: "Surgical excision is advised.",
}


def render_dmid(report: Report, wording: int, millimetres: bool = True) -> str:
    """A report as the radiologists of DMID write.

    `millimetres`: sizes are written as numbers too, not in words alone (small, large), which are not read back.
    """
    title = str.upper if wording % 4 == 3 else str
    lines = _opening(report)
    if report.composition is not None:
        lines += [title("Breast Composition:"), _pick(_COMPOSITION[report.composition], wording), ""]
    rated = [*_categories(report), *(line for text in unconfirmed(report) for line in (f"Unconfirmed: {text}", ""))]
    described = [_finding(f, wording, millimetres) for f in report.findings]
    found = [title("Findings:"), *described, *_denials(report, wording)]
    if report.recommendation is not None:
        found.append(_ADVICE[report.recommendation])
    lines += [*found, "", *rated[:-1]] if wording % 4 == 3 and rated else [*rated, *found]
    return "\n".join(lines) + "\n"


def _pick(options: Sequence[str], wording: int) -> str:
    """The words of a choice that a wording takes."""
    return options[wording % len(options)]


def _opening(report: Report) -> list[str]:
    """Why and how, and what it is compared with."""
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
    return lines


def _categories(report: Report) -> list[str]:
    """`BIRADS: 3, 4a`, a line a side."""
    lines = [
        f"BIRADS{'' if side is None else f' ({SIDE[side]} breast)'}: {', '.join(found).lower()}"
        for side, found in categories(report.assessments)
    ]
    return [*lines, ""] if lines else []


def _denials(report: Report, wording: int) -> list[str]:
    """What is not there: sentences for each side and, within it, for the skin and nipple and for all else."""
    if not report.findings and not report.negatives:
        return ["No finding described."]
    together = groupby(report.negatives, key=lambda n: (n.laterality, _spoken_of_with(n)))
    return [sentence(text) for (side, _), of in together for text in _denied(list(of), side, wording)]


def _spoken_of_with(negative: Negative) -> str:
    """What shares a sentence with a denial."""
    if negative.kind in _STRUCTURES:
        return "structures"
    return "axilla" if negative.kind is Kind.AXILLARY_NODE else "breast"


def _denied(negatives: Sequence[Negative], side: Laterality | None, wording: int) -> Iterator[str]:
    """One sentence without its full stop."""
    kinds = [negative.kind for negative in negatives]
    where = "" if side is None else f" in the {SIDE[side]} breast"
    if kinds[0] in _STRUCTURES:
        names = join_words([_STRUCTURES[kind] for kind in kinds])
        if wording % 6 == 5:
            yield f"{names} - no abnormality{where}"
        else:
            yield f"{names} {'appear' if len(kinds) > 1 else 'appears'} normal{where}"
        return
    words = [_pick(_DENIED.get(kind, (kind.value,)), wording) for kind in kinds]
    verb = _pick(("", " seen", " is seen"), wording)
    yield f"no {join_words(words, 'or')}{verb}{where}"


def _finding(finding: Finding, wording: int, millimetres: bool) -> str:
    """One finding as one sentence."""
    verb = _pick((" seen", " are seen" if finding.multiple else " is seen", " noted"), wording)
    phrase = with_article(finding, " ".join([*_before_noun(finding, wording), _noun(finding, wording)]))
    phrase += in_a_line(finding) + (_pick(_SPICULATED, wording) if finding.margin is Margin.SPICULATED else "")
    with_what = ""
    if finding.associated:
        with_what = f" {_pick(_LINK, wording)} {join_words([k.value for k in finding.associated])}"
    category = "" if finding.category is None else f" (BIRADS {finding.category.value.lower()})"
    tail = _tail(finding, millimetres)
    return sentence(f"{phrase}{verb}{_place(finding, wording)}{with_what}{tail}{_looks(finding, wording)}{category}")


def _before_noun(finding: Finding, wording: int) -> list[str]:
    """Adjectives as DMID writes them."""
    words = ["possible"] if finding.certainty == "possible" else []
    words += ["new"] if finding.change is Change.NEW else []
    words += [_pick(("multiple", "few"), wording)] if finding.multiple else []
    size = "" if finding.size_mm is None else next(word for below, word in _SMALLER_THAN if finding.size_mm < below)
    words += [size] if size else []
    words += [_pick(_MARGIN[finding.margin], wording)] if finding.margin in _MARGIN else []
    words += [] if finding.shape is None else [_pick(_SHAPE.get(finding.shape, (finding.shape.value,)), wording)]
    words += [] if finding.density is None else [_DENSITY[finding.density]]
    if finding.morphology in _MORPHOLOGY:
        plain = finding.morphology.value
        words += [_pick(_MORPHOLOGY[finding.morphology], wording) if w == plain else w for w in calcium_words(finding)]
        return words
    return words + calcium_words(finding)


def _noun(finding: Finding, wording: int) -> str:
    """A mass is a soft opacity here."""
    named = _NOUN.get(finding.kind)
    return noun(finding) if named is None else named[wording % len(named)][finding.multiple]


def _place(finding: Finding, wording: int) -> str:
    """`in the posterior aspect of the outer quadrant of the left breast at 2 o'clock`."""
    place, breast = finding.location, "" if finding.laterality is None else f" of the {SIDE[finding.laterality]} breast"
    within = wording % 2 == 1 and place.depth is not None and (place.quadrant is not None or breast)
    aspect = f"{_pick(_DEPTH[place.depth], wording // 2)} of the " if within and place.depth is not None else ""
    if place.quadrant is not None:
        opening = f" in the {aspect}{_region(place.quadrant, wording)}{breast}"
    else:
        opening = f" in the {aspect}{breast.removeprefix(' of the ')}" if breast else ""
    return opening + _fine_place(place, bool(aspect))


def _region(quadrant: Quadrant, wording: int) -> str:
    """DMID calls halves quadrants."""
    if quadrant is Quadrant.CENTRAL:
        return _pick(("central region", "central quadrant"), wording)
    if quadrant is Quadrant.RETROAREOLAR:
        return _pick(("retroareolar region", "periareolar region"), wording)
    return region(quadrant).replace(" half", " quadrant")


def _fine_place(place: Location, has_depth: bool) -> str:
    """Clock face, depth and distance."""
    clock = "" if place.clock is None else f" at {place.clock} o'clock"
    depth = "" if place.depth is None or has_depth else f" at {place.depth.value} depth"
    distance = "" if place.nipple_distance_mm is None else f" {place.nipple_distance_mm} mm from the nipple"
    return clock + depth + distance


def _tail(finding: Finding, millimetres: bool) -> str:
    """Size, views and change."""
    size = "" if finding.size_mm is None or not millimetres else f", measuring {finding.size_mm} mm"
    views = f", in {join_words([v.value for v in finding.views])} view" if finding.views else ""
    changed = finding.change is not None and finding.change is not Change.NEW
    return size + views + (f", {CHANGE[finding.change]}" if changed and finding.change else "")


def _looks(finding: Finding, wording: int) -> str:
    """`suggests a benign lesion`."""
    if finding.benign_looking is None:
        return ""
    words: Sequence[str] = _LOOKS_BENIGN
    if not finding.benign_looking:
        words = ("a suspicious lesion",)
        if finding.category is not None:
            words = _LOOKS_SUSPICIOUS.get(finding.category, words)
    return f" {_pick(_LOOKS_VERB, wording)} {_pick(words, wording)}"
