"""Findings of a draft matched to those of the reference, one to one, as well as they can be.

What is matched is a *lesion group*: every finding, and every associated feature of a finding as one of its own, so
that `mass with skin thickening` and `mass. Skin thickening.` are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from amrg.birads import ASYMMETRIES, Finding, Kind, Laterality, Location, Report
from amrg.birads.placement import only_side
from amrg.metrics.clinical.agreement import DESCRIPTORS
from amrg.metrics.clinical.location import Fit, fit
from amrg.metrics.pairs import Pair

Gate = Callable[[Finding, Finding], bool]
"""Whether a finding of the reference and one of the draft may be the same."""

_LEVELS = 1024.0
"""A level of the similarity outweighs all below it, for a hundred findings and more. All levels are exact in binary, so
that what is equally similar is equal."""

_PLACED = {Fit.SAME: 4.0, Fit.BROADER: 3.0, Fit.NOT_STATED: 3.0, Fit.SILENT: 2.0, Fit.FINER: 1.0, Fit.ELSEWHERE: 0.0}


_COUNTED = ("kind", "laterality", *DESCRIPTORS, "change")


@dataclass(frozen=True)
class Match:
    """A finding of the reference, the one of the draft that is the same lesion, and how their places fit."""

    reference: Finding
    draft: Finding
    fit: Fit

    @property
    def placed(self) -> bool:
        """Whether the draft states where, no finer than the reference, and correctly."""
        return self.fit in (Fit.SAME, Fit.BROADER, Fit.NOT_STATED)


@dataclass(frozen=True)
class Matching:
    """Matches of the same kind in the same breast, and what is left over on both sides.

    Where one report says `several masses` once and the other names them one by one, the others are in neither list.
    """

    matches: tuple[Match, ...]
    missed: tuple[Finding, ...]
    invented: tuple[Finding, ...]


def match_findings(pair: Pair, draft: Report) -> Matching:
    """Match the lesion groups of a pair; the order of findings in either report has no influence."""
    side = only_side(pair.views)
    reference, drafted = lesion_groups(pair.reference, side), lesion_groups(draft, side)
    matches, missed, invented = match_left(reference, drafted, same_lesion)
    return Matching(
        matches,
        tuple(f for f in missed if not _among_several(f, [m.draft for m in matches])),
        tuple(f for f in invented if not _among_several(f, [m.reference for m in matches])),
    )


def lesion_groups(report: Report, side: Laterality | None = None) -> list[Finding]:
    """Findings and their associated features, in an order of their own; `side` where the report names none."""
    groups = []
    for finding in report.findings:
        laterality = finding.laterality or side
        groups.append(finding if laterality is finding.laterality else _with_side(finding, laterality))
        quadrant_only = Location(quadrant=finding.location.quadrant, clock=finding.location.clock)
        groups += [Finding(kind=k, laterality=laterality, location=quadrant_only) for k in finding.associated]
    return sorted(groups, key=_key) if len(groups) > 1 else groups


def _with_side(finding: Finding, side: Laterality | None) -> Finding:
    return finding.model_copy(update={"laterality": side})


def _key(finding: Finding) -> str:
    """Something to sort by that differs between any two findings that differ in a way that counts."""
    counted = [getattr(finding, name) for name in _COUNTED]
    return repr((counted, finding.location.quadrant, finding.location.clock, _details(finding)))


def same_lesion(reference: Finding, draft: Finding) -> bool:
    """The gate of a match: kinds that are compatible, and exactly the same side."""
    return reference.laterality is draft.laterality and compatible(reference.kind, draft.kind)


def compatible(kind: Kind, other: Kind) -> bool:
    """The same kind; asymmetries of all sorts are one."""
    return kind is other or family_of(kind) is family_of(other)


def family_of(kind: Kind) -> Kind:
    """The kind that stands for all it can be matched with."""
    return Kind.ASYMMETRY if kind in ASYMMETRIES else kind


def match_left(
    reference: Sequence[Finding], draft: Sequence[Finding], gate: Gate
) -> tuple[tuple[Match, ...], list[Finding], list[Finding]]:
    """The most matches that a gate allows, among those the most similar; and what is left on both sides."""
    if not reference or not draft:
        return (), list(reference), list(draft)
    scores = np.array([[similarity(r, d) if gate(r, d) else 0.0 for d in draft] for r in reference])
    rows, columns = linear_sum_assignment(scores, maximize=True)
    both = [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if scores[i, j] > 0]
    matches = tuple(_match(reference[i], draft[j]) for i, j in both)
    taken, used = {i for i, _ in both}, {j for _, j in both}
    missed = [f for i, f in enumerate(reference) if i not in taken]
    return matches, missed, [f for j, f in enumerate(draft) if j not in used]


def _match(reference: Finding, draft: Finding) -> Match:
    return Match(reference, draft, fit(reference.location, draft.location, reference.laterality))


def similarity(reference: Finding, draft: Finding) -> float:
    """How alike two findings are that may be the same: above 0, each line outweighing all that follow.

    They may be the same; how their places fit; the same kind to the letter; descriptors that agree, less those that
    contradict; details that are equal: depth, distance, size, number, look.
    """
    placed = _PLACED[fit(reference.location, draft.location, reference.laterality)]
    described = sum(_agreement(getattr(reference, name), getattr(draft, name)) for name in DESCRIPTORS)
    details = sum(a == b for a, b in zip(_details(reference), _details(draft), strict=True))
    score = 1.0
    for level in (placed / 4, float(reference.kind is draft.kind), (described + 5) / 16, details / 8):
        score = score * _LEVELS + level
    return score


def _details(finding: Finding) -> tuple[object, ...]:
    place = finding.location
    return place.depth, place.nipple_distance_mm, finding.size_mm, finding.multiple, finding.benign_looking


def _agreement(reference: object, draft: object) -> int:
    """1 where both state the same, -1 where they differ, 0 where one states nothing."""
    if reference is None or draft is None:
        return 0
    return 1 if reference == draft else -1


def _among_several(finding: Finding, matched: Sequence[Finding]) -> bool:
    """Whether a finding left over is one of several that the other report names together."""
    return any(f.multiple and same_lesion(f, finding) for f in matched)
