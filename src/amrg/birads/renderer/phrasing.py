"""Wording that the report styles share: kinds, lists, places, and what holds for the whole study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from amrg.birads.lexicon import Change, Distribution, Edition, Kind, Laterality, Morphology, Quadrant
from amrg.birads.report import Assessment, Comparison, Finding, Location, Negative

SIDE = {Laterality.RIGHT: "right", Laterality.LEFT: "left"}
EDITION = {Edition.FIFTH: "BI-RADS 5th edition", Edition.V2025: "BI-RADS v2025"}
CHANGE = {
    Change.NEW: "new",
    Change.LARGER: "larger than before",
    Change.STABLE: "unchanged",
    Change.SMALLER: "smaller than before",
}
_PLURAL = {
    Kind.MASS: "masses",
    Kind.ASYMMETRY: "asymmetries",
    Kind.FOCAL_ASYMMETRY: "focal asymmetries",
    Kind.DEVELOPING_ASYMMETRY: "developing asymmetries",
    Kind.INTRAMAMMARY_NODE: "intramammary lymph nodes",
    Kind.AXILLARY_NODE: "axillary lymph nodes",
    Kind.SKIN_LESION: "skin lesions",
    Kind.CALCIFICATIONS: "calcifications",
}
_MASS_NOUNS = frozenset(
    {
        Kind.CALCIFICATIONS,
        Kind.DISTORTION,
        Kind.SKIN_THICKENING,
        Kind.SKIN_RETRACTION,
        Kind.NIPPLE_RETRACTION,
        Kind.TRABECULAR_THICKENING,
    }
)
_REGIONS = {
    Quadrant.UPPER: "upper half",
    Quadrant.LOWER: "lower half",
    Quadrant.OUTER: "outer half",
    Quadrant.INNER: "inner half",
    Quadrant.CENTRAL: "central region",
    Quadrant.RETROAREOLAR: "retroareolar region",
    Quadrant.AXILLARY_TAIL: "axillary tail",
    Quadrant.AXILLA: "axilla",
}


def join_words(words: Sequence[str], joiner: str = "and") -> str:
    """Words as a list in a sentence: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joiner} {words[-1]}"


def noun(finding: Finding) -> str:
    """The word for a finding's kind, in the plural where there are several."""
    if not finding.multiple:
        return finding.kind.value
    return _PLURAL.get(finding.kind) or f"areas of {finding.kind.value}"


def with_article(finding: Finding, phrase: str) -> str:
    """A noun phrase with its article, which plurals and mass nouns do without."""
    if finding.multiple or finding.kind in _MASS_NOUNS:
        return phrase
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def adjectives(finding: Finding) -> list[str]:
    """What comes before the noun for any kind: certainty, number, looks."""
    words = ["possible"] if finding.certainty == "possible" else []
    words += ["new"] if finding.change is Change.NEW else []
    words += ["multiple"] if finding.multiple else []
    if finding.benign_looking is not None and finding.morphology is not Morphology.BENIGN:
        words.append("benign-looking" if finding.benign_looking else "suspicious")
    return words


def calcium_words(finding: Finding) -> list[str]:
    """Distribution and morphology of calcifications."""
    words = [] if finding.distribution is None or in_a_line(finding) else [finding.distribution.value]
    if finding.morphology is Morphology.BENIGN:
        words.append("benign-looking" if finding.benign_looking else "typically benign")
        if finding.benign_looking is False:
            words.append("suspicious")
    elif finding.morphology is not None:
        words.append(finding.morphology.value)
    return words


def in_a_line(finding: Finding) -> str:
    """` in a linear distribution` for fine linear calcifications, whose adjectives would say linear twice."""
    twice = finding.distribution is Distribution.LINEAR and finding.morphology is Morphology.FINE_LINEAR
    return " in a linear distribution" if twice else ""


def region(quadrant: Quadrant) -> str:
    """A place as its own noun phrase."""
    return _REGIONS.get(quadrant, f"{quadrant.value} quadrant")


def whereabouts(location: Location) -> list[str]:
    """A place in phrases: quadrant, clock face, depth, distance."""
    words = [] if location.quadrant is None else [region(location.quadrant)]
    words += [] if location.clock is None else [f"{location.clock} o'clock"]
    words += [] if location.depth is None else [f"{location.depth.value} depth"]
    words += [] if location.nipple_distance_mm is None else [f"{location.nipple_distance_mm} mm from the nipple"]
    return words


def comparison(value: Comparison) -> str:
    """What was compared with."""
    if not value.available:
        return "No prior study available."
    if value.prior_date is None:
        return "Prior study available."
    return f"Prior study of {value.prior_date.isoformat()}."


def denials(negatives: Iterable[Negative], words: dict[Kind, str]) -> list[tuple[Laterality | None, list[str]]]:
    """What is denied, put together by side in its order."""
    grouped = groupby(negatives, key=lambda n: n.laterality)
    return [(side, [words.get(n.kind, n.kind.value) for n in of_side]) for side, of_side in grouped]


def categories(assessments: Iterable[Assessment]) -> list[tuple[Laterality | None, list[str]]]:
    """Categories put together by side in their order."""
    grouped = groupby(assessments, key=lambda a: a.laterality)
    return [(side, [a.category.value for a in of_side]) for side, of_side in grouped]


def sentence(text: str) -> str:
    """A text with a capital and a full stop."""
    return f"{text[0].upper()}{text[1:]}."
