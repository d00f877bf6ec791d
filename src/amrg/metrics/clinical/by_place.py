"""Findings compared by place: the same kind, side and quadrant, counted as a multiset.

Associated features are no findings of their own here, and descriptors, depth and clock faces do not count. A case whose
data set publishes no findings, and a failed case, are unscored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from amrg.birads import Finding, Report
from amrg.metrics.clinical.agreement import placed
from amrg.metrics.clinical.findings import PARTS, STRICT_PARTS
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Metric, ratio
from amrg.metrics.pairs import Pair, Terms, of_drafts

_KEY = "kind, side and quadrant must be the same, each finding matches once, associated features do not count"


def by_place_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """F1, precision and recall; findings a report of a kind that the breast does not have, or in another quadrant."""
    return [
        *(_by_place(pairs, part) for part in PARTS),
        invented_findings_a_report_by_kind(pairs),
        _a_report(
            pairs,
            "misplaced_findings_a_report_by_place",
            "mean count of drafted findings of a kind that the breast has, in another quadrant than the reference's",
            _misplaced,
        ),
    ]


def finding_f1_by_place(pairs: Sequence[Pair]) -> Metric:
    """F1 of findings by kind, side and quadrant."""
    return _by_place(pairs, "f1")


def invented_findings_a_report_by_kind(pairs: Sequence[Pair]) -> Metric:
    """Drafted findings a report of a kind that the breast does not have, or not so often."""
    about = "mean count of drafted findings of a kind that the breast does not have, or not so often"
    return _a_report(pairs, "invented_findings_a_report_by_kind", about, _invented)


def _by_place(pairs: Sequence[Pair], part: str) -> Metric:
    terms = of_drafts(pairs, _counts, 3)
    name, about, strict = f"finding_{part}_by_place", f"micro; {_KEY}", part in STRICT_PARTS
    return Metric(name, Family.FINDINGS, about, terms, PARTS[part], bounds=SHARE, has_strict=strict)


def _a_report(pairs: Sequence[Pair], name: str, about: str, count: Callable[[Report, Report], int]) -> Metric:
    """The mean of a count over the cases whose findings are known; lower is better."""

    def terms(pair: Pair, draft: Report) -> Terms:
        return (float(count(pair.reference, draft)), 1.0) if pair.findings_known else None

    return Metric(name, Family.FINDINGS, about, of_drafts(pairs, terms, 2), ratio, higher_is_better=False)


def _counts(pair: Pair, draft: Report) -> Terms:
    """Right, in the reference, drafted."""
    if not pair.findings_known:
        return None
    right = _common(pair.reference, draft, placed)
    return float(right), float(len(pair.reference.findings)), float(len(draft.findings))


def _invented(reference: Report, draft: Report) -> int:
    return len(draft.findings) - _common(reference, draft, _kind_and_side)


def _misplaced(reference: Report, draft: Report) -> int:
    return _common(reference, draft, _kind_and_side) - _common(reference, draft, placed)


def _kind_and_side(finding: Finding) -> tuple[object, ...]:
    return finding.kind, finding.laterality


def _common(reference: Report, draft: Report, key: Callable[[Finding], tuple[object, ...]]) -> int:
    """Findings that both reports have, by what `key` takes of one."""
    expected, drafted = (Counter(map(key, report.findings)) for report in (reference, draft))
    return (expected & drafted).total()
