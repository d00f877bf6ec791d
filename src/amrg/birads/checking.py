"""`check`: named rules of consistency, each a small function, all listed in `RULES`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from amrg.birads.densitywords import density_contradiction
from amrg.birads.findings_list import narrative_of
from amrg.birads.lexicon import (
    ADVICE,
    SUSPICIOUS_MORPHOLOGY,
    Category,
    Density,
    Kind,
    Laterality,
    Margin,
    Morphology,
    Shape,
    View,
)
from amrg.birads.parser.parsing import WITH_THE_WORDS_OF, parse
from amrg.birads.placement import FROM_ABOVE, FROM_THE_SIDE, INNER, LOWER, OUTER, UPPER, clock_faces, contradictions
from amrg.birads.report import Assessment, Finding, Report
from amrg.birads.validity import flaws

Views = Collection[tuple[Laterality, View]]


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule: its name, what was found and expected, and the field of the report."""

    rule: str
    message: str
    path: str


@dataclass(frozen=True, slots=True)
class StudyContext:
    """What is known of the study: the views taken, and whether a prior study was available; None where unknown."""

    views: Views | None = None
    has_prior: bool | None = None


Faults = Iterator[tuple[str, str]]  # path and message
Rule = Callable[[Report, StudyContext], Faults]


def _category_below_finding(report: Report, context: StudyContext) -> Faults:
    """A breast's category is not milder than the category of its worst finding."""
    for i, finding in enumerate(report.findings):
        worst = _worst_covering(report, finding)
        if finding.category is not None and worst is not None and worst.suspicion < finding.category.suspicion:
            yield (
                f"findings[{i}].category",
                f"the assessment is {worst}, expected at least {finding.category} of this finding",
            )


def _category_above_findings(report: Report, context: StudyContext) -> Faults:
    """A breast of category 3, 4 or 5 has a finding of 0, 3 or worse, where findings carry categories."""
    rated = [f for f in report.findings if f.category is not None]
    for i, assessment in enumerate(report.assessments):
        if assessment.category.major not in (3, 4, 5):
            continue
        here = [f for f in rated if _same_side(f.laterality, assessment.laterality)]
        unrated = any(f.category is None and _same_side(f.laterality, assessment.laterality) for f in report.findings)
        milder = all(f.category.suspicion < Category.PROBABLY_BENIGN.suspicion for f in here if f.category)
        if not unrated and milder:
            yield f"assessments[{i}]", f"category {assessment.category} has no finding of category 3 or above"


def _negative_with_findings(report: Report, context: StudyContext) -> Faults:
    """Category 1 means that there is nothing to describe."""
    for i, finding in enumerate(report.findings):
        ones = assessments_of(report, finding.laterality)
        if ones and all(a.category is Category.NEGATIVE for a in ones) and not _looks_benign(finding):
            yield f"findings[{i}]", f"the assessment is 1 (negative), found a {finding.kind}"


def _suspicious_called_benign(report: Report, context: StudyContext) -> Faults:
    """What is suspicious by shape, margin or morphology is not category 1, 2 or 3, neither its own nor its breast's."""
    for i, finding in enumerate(report.findings):
        what, own = _suspicious_look(finding), finding.category
        category = own or _worst_covering(report, finding)
        benign = (2, 3) if own is None else (1, 2, 3)  # in a breast of category 1 it breaks `negative-with-findings`
        if what is not None and category is not None and category.major in benign:
            path = f"findings[{i}]" if own is None else f"findings[{i}].category"
            yield path, f"{what} {finding.kind} is called {category}, expected 4 or 5"


def _suspicious_look(finding: Finding) -> str | None:
    """The descriptor that makes a finding suspicious, if one does; category 2 and 3 masses are circumscribed."""
    if finding.margin is Margin.SPICULATED:
        return finding.margin
    if finding.morphology in SUSPICIOUS_MORPHOLOGY:
        return finding.morphology
    if finding.kind is not Kind.MASS or finding.density is Density.FAT:
        return None
    if finding.margin in (Margin.INDISTINCT, Margin.MICROLOBULATED):
        return finding.margin
    return finding.shape if finding.shape is Shape.IRREGULAR else None


def _benign_called_suspicious(report: Report, context: StudyContext) -> Faults:
    """Fat inside a mass and typically benign calcifications are not category 4 or 5."""
    for i, finding in enumerate(report.findings):
        lucent = finding.density is Density.FAT
        if finding.category is None or finding.category.major not in (4, 5):
            continue
        if lucent or finding.morphology in _BENIGN_CALCIUM:
            what = finding.density if lucent else finding.morphology
            yield f"findings[{i}].category", f"{what} {finding.kind} is called {finding.category}, expected 2"


@lru_cache(maxsize=1024)  # three rules read the same narrative, and many drafts are alike
def _read_cached(text: str) -> tuple[Report, tuple[str, ...]]:
    """The report that a narrative gives, and where in it a number and the words next to it contradict each other."""
    parsed = parse(narrative_of(text))
    return parsed.report, tuple(note.message for note in parsed.notes if WITH_THE_WORDS_OF in note.message)


_BENIGN_CALCIUM = set(Morphology) - SUSPICIOUS_MORPHOLOGY - {Morphology.ROUND, Morphology.PUNCTATE}


def _composition_against_narrative(report: Report, context: StudyContext) -> Faults:
    """The composition is the one that the narrative gives."""
    if not report.narrative or report.composition is None:
        return
    stated = _read_cached(report.narrative)[0].composition
    if stated is not None and stated is not report.composition:
        yield "composition", f"composition is {report.composition}, the narrative says {stated}"


def _category_against_narrative(report: Report, context: StudyContext) -> Faults:
    """The worst category is the one that the narrative gives."""
    if not report.narrative or report.worst is None:
        return
    stated = _read_cached(report.narrative)[0].worst
    if stated is not None and stated is not report.worst:
        yield "assessments", f"the worst category is {report.worst}, the narrative says {stated}"


def _category_against_words(report: Report, context: StudyContext) -> Faults:
    """A category's number and the words next to it mean the same."""
    if report.narrative:
        for message in _read_cached(report.narrative)[1]:
            yield "assessments", f"{message} in the narrative"


def _composition_against_words(report: Report, context: StudyContext) -> Faults:
    """A density that is stated by letter, number and words is the same in all of them."""
    found = density_contradiction(narrative_of(report.narrative))
    if found is not None:
        yield "composition", f"the narrative says {found}"


def _quadrant_against_view(report: Report, context: StudyContext) -> Faults:
    """A finding on views from above only is neither upper nor lower; on lateral views only, neither outer nor inner."""
    for i, finding in enumerate(report.findings):
        place, views = finding.location.quadrant, set(finding.views)
        if place is None or not views:
            continue
        if views <= FROM_ABOVE and place in UPPER | LOWER:
            yield f"findings[{i}].location.quadrant", f"{place} cannot be determined from {_view_names(views)} alone"
        if views <= FROM_THE_SIDE and place in OUTER | INNER:
            yield f"findings[{i}].location.quadrant", f"{place} cannot be determined from {_view_names(views)} alone"


def _side_against_view(report: Report, context: StudyContext) -> Faults:
    """A finding is in a breast that was imaged and in views that were taken, and so are its boxes."""
    for i, finding in enumerate(report.findings):
        for j, box in enumerate(finding.boxes):
            if finding.laterality is not None and box.laterality is not finding.laterality:
                yield f"findings[{i}].boxes[{j}]", f"box on {box.laterality}, finding on {finding.laterality}"
        if context.views is None or finding.laterality is None:
            continue
        there = {view for side, view in context.views if side is finding.laterality}
        missing = set(finding.views) - there
        if not there:
            yield f"findings[{i}].laterality", f"no view of side {finding.laterality} was taken"
        elif missing:
            yield (
                f"findings[{i}].views",
                f"seen on {_view_names(missing)}, which was not taken on side {finding.laterality}",
            )


def _clock_against_quadrant(report: Report, context: StudyContext) -> Faults:
    """Clock face and quadrant name the same place; outer is at 9 o'clock on the right and at 3 on the left."""
    for i, finding in enumerate(report.findings):
        place, clock, side = finding.location.quadrant, finding.location.clock, finding.laterality
        if place is None or clock is None:
            continue
        expected = clock_faces(place, side)
        if expected and clock not in expected:
            yield f"findings[{i}].location.clock", f"{clock} o'clock is not {place}, expected one of {sorted(expected)}"


def _place_against_box(report: Report, context: StudyContext) -> Faults:
    """A finding is where its boxes show it: quadrant, clock face and depth against the nipple line of each view."""
    for i, finding in enumerate(report.findings):
        for j, message in contradictions(finding):
            yield f"findings[{i}].boxes[{j}]", message


def _breast_removed(report: Report, context: StudyContext) -> Faults:
    """After a mastectomy nothing is imaged, found or assessed in the breast that was removed."""
    taken = {side for side, _ in context.views or ()} | {side for side, _ in _views_of(report)}
    for i, side in enumerate(report.mastectomy):
        if side in taken:
            yield f"mastectomy[{i}]", f"views of side {side} were taken, which was removed by mastectomy"
        for j, finding in enumerate(report.findings):
            if finding.laterality is side:
                yield f"findings[{j}].laterality", f"found in side {side}, which was removed by mastectomy"
        for j, assessment in enumerate(report.assessments):
            if assessment.laterality is side:
                yield f"assessments[{j}]", f"category for side {side}, which was removed by mastectomy"


def _views_of(report: Report) -> Views:
    return report.technique.views if report.technique is not None else ()


def _comparison_without_prior(report: Report, context: StudyContext) -> Faults:
    """Nothing is compared with a prior study that was not available."""
    if context.has_prior is False and report.comparison is not None and report.comparison.available:
        yield "comparison", "compared with a prior study, but none was available"


def _change_without_prior(report: Report, context: StudyContext) -> Faults:
    """A change needs a prior study to have changed from."""
    if report.comparison is not None and report.comparison.available:
        return
    for i, finding in enumerate(report.findings):
        if finding.change is not None:
            yield f"findings[{i}].change", f"called {finding.change}, but no prior study was compared with"
        if finding.kind is Kind.DEVELOPING_ASYMMETRY:
            yield f"findings[{i}].kind", "a developing asymmetry needs a prior study, none was compared with"


def _advice_against_category(report: Report, context: StudyContext) -> Faults:
    """The advice is the one that goes with the worst category."""
    worst = report.worst
    if worst is None or report.recommendation is None:
        return
    expected = ADVICE[worst.major]
    if report.recommendation not in expected:
        advised = " or ".join(sorted(expected))
        yield "recommendation", f"{report.recommendation} advised for category {worst}, expected {advised}"


def _negative_against_finding(report: Report, context: StudyContext) -> Faults:
    """Nothing is denied and found in the same breast; what looks benign is not what a denial means."""
    for i, finding in enumerate(report.findings):
        for j, negative in enumerate(report.negatives):
            same = finding.kind is negative.kind and _same_side(finding.laterality, negative.laterality)
            if same and not _looks_benign(finding):
                yield f"findings[{i}]", f"{finding.kind} is found here and denied in negatives[{j}]"


def _descriptor_of_another_kind(report: Report, context: StudyContext) -> Faults:
    """Descriptors belong to the kind of the finding, and nothing is repeated."""
    yield from flaws(report)


def _shape_against_margin(report: Report, context: StudyContext) -> Faults:
    """A spiculated mass is irregular; an irregular one that is circumscribed is rare, not wrong."""
    for i, finding in enumerate(report.findings):
        if finding.margin is Margin.SPICULATED and finding.shape in (Shape.OVAL, Shape.ROUND):
            yield f"findings[{i}].shape", f"{finding.shape} with spiculated margins, expected irregular"


def assessments_of(report: Report, side: Laterality | None) -> list[Assessment]:
    """Assessments that hold for a side: its own, or where it has none those of the whole study."""
    own = [a for a in report.assessments if side is not None and a.laterality is side]
    whole = [a for a in report.assessments if a.laterality is None]
    return own or whole or (list(report.assessments) if side is None else [])


def _worst_covering(report: Report, finding: Finding) -> Category | None:
    """The worst category that holds for a finding's breast, or None where none does."""
    covering = (a.category for a in assessments_of(report, finding.laterality))
    return max(covering, key=lambda c: c.suspicion, default=None)


def _same_side(side: Laterality | None, other: Laterality | None) -> bool:
    return side is None or other is None or side is other


def _looks_benign(finding: Finding) -> bool:
    """Whether a finding is called benign or is of a kind that always is."""
    rated_benign = finding.category is not None and finding.category.major <= 2 and finding.category.major > 0
    always = finding.kind in (Kind.INTRAMAMMARY_NODE, Kind.AXILLARY_NODE) and finding.benign_looking is not False
    return bool(finding.benign_looking) or rated_benign or always or finding.morphology in _BENIGN_CALCIUM


def _view_names(views: Collection[View]) -> str:
    return " and ".join(sorted(views))


_FUNCTIONS: dict[str, Rule] = {
    "category-below-finding": _category_below_finding,
    "category-above-findings": _category_above_findings,
    "negative-with-findings": _negative_with_findings,
    "suspicious-called-benign": _suspicious_called_benign,
    "benign-called-suspicious": _benign_called_suspicious,
    "composition-against-narrative": _composition_against_narrative,
    "category-against-narrative": _category_against_narrative,
    "category-against-words": _category_against_words,
    "composition-against-words": _composition_against_words,
    "quadrant-against-view": _quadrant_against_view,
    "side-against-view": _side_against_view,
    "clock-against-quadrant": _clock_against_quadrant,
    "place-against-box": _place_against_box,
    "breast-removed": _breast_removed,
    "comparison-without-prior": _comparison_without_prior,
    "change-without-prior": _change_without_prior,
    "advice-against-category": _advice_against_category,
    "negative-against-finding": _negative_against_finding,
    "descriptor-of-another-kind": _descriptor_of_another_kind,
    "shape-against-margin": _shape_against_margin,
}

RULES: dict[str, str] = {name: (rule.__doc__ or "").strip() for name, rule in _FUNCTIONS.items()}
"""Every rule by its name, with one line of what it checks."""


def check(report: Report, views: Views | None = None, has_prior: bool | None = None) -> tuple[Violation, ...]:
    """Find what in a report contradicts itself or the study it was read from.

    Args:
        report: The report to check.
        views: Side and projection of every view taken, where known; None skips what needs them.
        has_prior: Whether a prior study was available, where known; None skips what needs it.

    Returns:
        Violations in the order of `RULES`; empty for a consistent report. Never raises.
    """
    context = StudyContext(views, has_prior)
    return tuple(
        Violation(name, message, path) for name, rule in _FUNCTIONS.items() for path, message in rule(report, context)
    )
