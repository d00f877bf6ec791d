"""MammoGREEN, computed from facts: six kinds of error, and a score. Deterministic, offline; docs/mammogreen.md.

score = matched / (matched + errors), a case at a time, then the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from amrg.birads import ASYMMETRIES, Category, Finding, Kind, Report
from amrg.metrics.clinical.agreement import DESCRIPTORS
from amrg.metrics.clinical.categories import by_breast
from amrg.metrics.clinical.contradictions import invents_comparison
from amrg.metrics.clinical.location import Fit, fit
from amrg.metrics.clinical.matching import Match, Matching, compatible, match_left
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Metric, mean_of, ratio
from amrg.metrics.pairs import Pair, drafted, stacked

_MASS_LIKE = ASYMMETRIES | {Kind.MASS, Kind.DISTORTION}
_LEAST_MM = 5
"""Sizes and distances agree within this or a quarter of the reference's, whichever is more."""


@dataclass(frozen=True)
class Errors:
    """Counts of one report: what matches, and each kind of error."""

    matched: int = 0
    false_findings: int = 0
    missing_findings: int = 0
    mischaracterised: int = 0
    wrong_location: int = 0
    wrong_birads: int = 0
    wrong_density: int = 0

    @property
    def total(self) -> int:
        """Errors of all kinds."""
        counts: tuple[int, ...] = astuple(self)
        return sum(counts) - self.matched

    @property
    def score(self) -> float:
        """Matched / (matched + errors); not a number where there is nothing to match and no error."""
        whole = self.matched + self.total
        return self.matched / whole if whole else float("nan")


_ABOUT = {
    "false_findings": "findings that the reference does not have, and at most one comparison with a prior never taken",
    "missing_findings": "findings of the reference that the draft does not have",
    "mischaracterised": "found in the right place, with a wrong or made-up descriptor, depth, size or finer place",
    "wrong_location": "found in the other breast, or in another place of the right one",
    "wrong_birads": "the category differs or is missing, at most one a report; plain 4 agrees with 4A, 4B and 4C",
    "wrong_density": "the composition differs or is missing",
}
_AT_MOST_ONE = ("wrong_birads", "wrong_density")


def mammogreen_metrics(pairs: Sequence[Pair], matched: Sequence[Matching | None]) -> list[Metric]:
    """The score and the mean count of each kind of error a report."""
    counted = [
        None if m is None or (draft := drafted(p)) is None else errors_of(p, draft, m)
        for p, m in zip(pairs, matched, strict=True)
    ]
    scores = np.array([float("nan") if e is None else e.score for e in counted])
    about = "mean over reports of matched / (matched + errors of six kinds); the rules of docs/mammogreen.md"
    made = [Metric("mammogreen_score", Family.GREEN, about, mean_of(scores), ratio, bounds=SHARE, has_strict=True)]
    for kind in [f.name for f in fields(Errors) if f.name in _ABOUT]:
        terms = stacked((None if e is None else (float(getattr(e, kind)), 1.0) for e in counted), 2)
        made.append(
            Metric(
                f"mammogreen_{kind}",
                Family.GREEN,
                f"mean count a report: {_ABOUT[kind]}",
                terms,
                ratio,
                higher_is_better=False,
                bounds=SHARE if kind in _AT_MOST_ONE else None,
            )
        )
    return made


def errors_of(pair: Pair, draft: Report, matching: Matching) -> Errors:
    """Count one report. A lesion in both reports is never both false and missing."""
    renamed, missed, invented = match_left(matching.missed, matching.invented, _same_place)
    elsewhere, missed, invented = match_left(missed, invented, _other_side)
    contradicted = [_contradicts(m) for m in matching.matches]
    displaced = [m.fit is Fit.ELSEWHERE for m in matching.matches]
    right = [not (wrong or away) for wrong, away in zip(contradicted, displaced, strict=True)]
    loose = [wrong or _makes_up(m) for wrong, m in zip(contradicted, matching.matches, strict=True)]
    return Errors(
        matched=sum(right) + _both_negative(pair.reference, draft),
        false_findings=len(invented) + invents_comparison(pair, draft),
        missing_findings=len(missed),
        mischaracterised=len(renamed) + sum(loose),
        wrong_location=sum(displaced) + len(elsewhere),
        wrong_birads=int(_wrong_category(pair.reference, draft)),
        wrong_density=int(pair.reference.composition not in (None, draft.composition)),
    )


def _same_place(reference: Finding, draft: Finding) -> bool:
    """One lesion under two names: mass, asymmetry or distortion in the very same place of one breast."""
    mass_like = reference.kind in _MASS_LIKE and draft.kind in _MASS_LIKE
    same = reference.laterality is draft.laterality
    found = fit(reference.location, draft.location, reference.laterality)
    return mass_like and same and found in (Fit.SAME, Fit.BROADER)


def _other_side(reference: Finding, draft: Finding) -> bool:
    """The right kind in the wrong breast, or in one that only one of the reports names."""
    return reference.laterality is not draft.laterality and compatible(reference.kind, draft.kind)


def _both_negative(reference: Report, draft: Report) -> bool:
    """Two reports without findings match; the draft must state that it found nothing, not just state nothing."""
    if reference.findings or draft.findings:
        return False
    return bool(draft.negatives) or draft.worst in (Category.NEGATIVE, Category.BENIGN)


def _contradicts(match: Match) -> bool:
    """Whether the draft describes the lesion as something else than the reference does."""
    reference, draft = match.reference, match.draft
    if draft.kind not in (reference.kind, Kind.ASYMMETRY):  # plain asymmetry is the less specific name
        return True
    both = [(getattr(reference, name), getattr(draft, name)) for name in (*DESCRIPTORS, "benign_looking")]
    return any(a is not None and b is not None and a != b for a, b in both)


def _makes_up(match: Match) -> bool:
    """Whether the draft states more of the lesion than the reference: finer place, depth, size, number, descriptor."""
    reference, draft = match.reference, match.draft
    place, drafted_place = reference.location, draft.location
    invented = any(getattr(draft, n) is not None and getattr(reference, n) is None for n in DESCRIPTORS)
    return (
        match.fit is Fit.FINER
        or drafted_place.depth not in (None, place.depth)
        or not _measured_alike(reference.size_mm, draft.size_mm)
        or not _measured_alike(place.nipple_distance_mm, drafted_place.nipple_distance_mm)
        or (draft.multiple and not reference.multiple)
        or invented
    )


def _measured_alike(reference: int | None, draft: int | None) -> bool:
    """Whether the draft omits a length, or both give it and nearly the same."""
    if draft is None:
        return True
    return reference is not None and abs(draft - reference) <= max(_LEAST_MM, reference / 4)


def _wrong_category(reference: Report, draft: Report) -> bool:
    """Whether the draft's category is not the reference's: breast by breast where both name the same breasts."""
    expected, predicted = by_breast(reference), by_breast(draft)
    if expected and expected.keys() == predicted.keys():
        return any(not _agree(expected[side], predicted[side]) for side in expected)
    if reference.worst is None:
        return False
    return draft.worst is None or not _agree(reference.worst, draft.worst)


def _agree(category: Category, other: Category) -> bool:
    """The same category; plain 4 leaves the letter open."""
    plain = Category.SUSPICIOUS in (category, other)
    return category is other or (plain and category.major == other.major)
