"""Precision, recall and F1 of findings by lesion, of all and by kind; location and descriptors; invented and omitted.

Micro: counts are added over cases, then divided. `matching` says when two findings are the same lesion; `by_place`
has the variant that asks for the same quadrant instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from amrg.birads import ASYMMETRIES, Finding, Kind
from amrg.metrics.clinical.agreement import DESCRIPTORS
from amrg.metrics.clinical.location import Fit
from amrg.metrics.clinical.matching import Match, Matching, lesion_groups
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Array, Metric, ratio
from amrg.metrics.pairs import Pair, Terms, stacked

GROUPS: dict[str, frozenset[Kind]] = {
    "mass": frozenset({Kind.MASS}),
    "calcifications": frozenset({Kind.CALCIFICATIONS}),
    "asymmetry": ASYMMETRIES,
    "distortion": frozenset({Kind.DISTORTION}),
    "lymph_node": frozenset({Kind.AXILLARY_NODE, Kind.INTRAMAMMARY_NODE}),
    "skin_and_nipple": frozenset(
        {Kind.SKIN_LESION, Kind.SKIN_THICKENING, Kind.SKIN_RETRACTION, Kind.NIPPLE_RETRACTION}
    ),
    "other_kind": frozenset({Kind.TRABECULAR_THICKENING, Kind.DILATED_DUCT}),
}
"""Kinds that are counted together in the metrics by kind."""

_GATE = "matched one to one: the same kind (asymmetries are one), exactly the same side"
_GROUPED = "associated features count as findings"
Counts = tuple[float, float, float]  # right, in the reference, drafted


def f1(sums: Array) -> Array:
    """2 right / (reference + drafted)."""
    return ratio(np.stack([2 * sums[..., 0], sums[..., 1] + sums[..., 2]], axis=-1))


def recall(sums: Array) -> Array:
    """Right / reference."""
    return ratio(sums[..., :2])


def precision(sums: Array) -> Array:
    """Right / drafted."""
    return ratio(sums[..., ::2])


PARTS: dict[str, Callable[[Array], Array]] = {"f1": f1, "precision": precision, "recall": recall}
"""From counts (right, in the reference, drafted) to each number."""

STRICT_PARTS = frozenset({"f1", "recall"})
"""Those that are worst where a draft states nothing; precision is not, which counts what is drafted."""


def finding_metrics(pairs: Sequence[Pair], matched: Sequence[Matching | None]) -> list[Metric]:
    """Metrics of findings; `matched` as `match_findings` made it, None for failed cases.

    Kinds that no reference has get no metrics of their own: what is drafted of them counts in those of all.
    """
    kinds = {f.kind for p in pairs for f in lesion_groups(p.reference)}
    made = _counted(matched, "finding", f"{_GATE}; {_GROUPED}", frozenset(Kind))
    placed = stacked((None if m is None else _placed_counts(m) for m in matched), 3)
    about = f"{_GATE}; right only where the draft also says where, and no other place nor a finer one; {_GROUPED}"
    made.append(
        Metric("finding_f1_by_lesion_with_location", Family.FINDINGS, about, placed, f1, bounds=SHARE, has_strict=True)
    )
    for group, of_group in GROUPS.items():
        if of_group & kinds:
            made += _counted(matched, f"finding_{group}", f"{_GATE}; only {_listed(of_group)}", of_group)
    return made + _details_of_matched(matched) + _too_many_and_too_few(matched)


def _listed(kinds: frozenset[Kind]) -> str:
    return ", ".join(sorted(kinds))


def _counted(matched: Sequence[Matching | None], name: str, about: str, kinds: frozenset[Kind]) -> list[Metric]:
    """F1, precision and recall over some kinds."""
    terms = stacked((None if m is None else _counts(m, kinds) for m in matched), 3)
    return [
        Metric(
            f"{name}_{part}_by_lesion",
            Family.FINDINGS,
            f"micro; {about}",
            terms,
            combine,
            bounds=SHARE,
            has_strict=part in STRICT_PARTS,
        )
        for part, combine in PARTS.items()
    ]


def _counts(matching: Matching, kinds: frozenset[Kind]) -> Counts:
    """Right, in the reference, drafted. Kinds that can match are always counted together."""
    right = sum(m.reference.kind in kinds for m in matching.matches)
    return float(right), float(right + _of(matching.missed, kinds)), float(right + _of(matching.invented, kinds))


def _of(findings: Sequence[Finding], kinds: frozenset[Kind]) -> int:
    return sum(f.kind in kinds for f in findings)


def _placed_counts(matching: Matching) -> Counts:
    right, n = sum(m.placed for m in matching.matches), len(matching.matches)
    return float(right), float(n + len(matching.missed)), float(n + len(matching.invented))


def _details_of_matched(matched: Sequence[Matching | None]) -> list[Metric]:
    """What the draft states of findings that were found: where they are, and what they look like."""
    places = stacked((None if m is None else _places(m.matches) for m in matched), 2)
    where = "of matched findings where either report names a quadrant or clock face, share where the draft's fits"
    looks = stacked((None if m is None else _descriptors(m.matches) for m in matched), 2)
    what = f"of descriptors ({', '.join(DESCRIPTORS)}) that either report gives of matched findings, share alike"
    return [
        Metric(
            "finding_location_accuracy",
            Family.FINDINGS,
            f"{where}: the same place or one that holds it",
            places,
            ratio,
            bounds=SHARE,
        ),
        Metric("finding_descriptor_accuracy", Family.FINDINGS, what, looks, ratio, bounds=SHARE),
    ]


def _places(matches: Sequence[Match]) -> Terms:
    fits = [m.placed for m in matches if m.fit is not Fit.NOT_STATED]
    return float(sum(fits)), float(len(fits))


def _descriptors(matches: Sequence[Match]) -> Terms:
    both = [(getattr(m.reference, name), getattr(m.draft, name)) for m in matches for name in DESCRIPTORS]
    alike = [a == b for a, b in both if a is not None or b is not None]
    return float(sum(alike)), float(len(alike))


def _too_many_and_too_few(matched: Sequence[Matching | None]) -> list[Metric]:
    """Findings a report that the reference does not have, and those of the reference that are not there."""
    wrong: dict[str, Callable[[Matching], int]] = {
        "hallucinated": lambda m: len(m.invented),
        "omitted": lambda m: len(m.missed),
    }
    return [
        Metric(
            f"{name}_findings_a_report",
            Family.FINDINGS,
            f"mean count of unmatched findings; {_GATE}; {_GROUPED}",
            stacked((None if m is None else (float(count(m)), 1.0) for m in matched), 2),
            ratio,
            higher_is_better=False,
        )
        for name, count in wrong.items()
    ]
