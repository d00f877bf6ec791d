"""What a draft claims against itself and its study: contradictions, comparisons with a prior that does not exist."""

from __future__ import annotations

import re
from collections.abc import Sequence

from amrg.birads import Kind, Report, check
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Metric, ratio
from amrg.metrics.pairs import Pair, Terms, of_drafts

_WORDS_OF_CHANGE = re.compile(
    r"\b(?:un|not\s+)changed\b|\binterval\s+(?:change|increase|decrease|growth|development)"
    r"|\b(?:compared?\s+(?:to|with)|since|from)\s+(?:the\s+)?(?:prior|previous|last)\b"
    r"|\bpreviously\s+(?:seen|noted|described|demonstrated|identified)\b",
    re.IGNORECASE,
)
"""Ways to speak of a prior study without a finding or a comparison that the parser could hold on to."""


def claim_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """Contradictions a report, and the share of reports that invent a comparison."""
    without = sum(not had_prior(p) for p in pairs)
    contradictions = "mean count of rules of amrg.birads.check that the draft breaks, views and priors known"
    invented = f"share of the {without} cases without a prior whose draft compares with one"
    return [
        Metric(
            "contradictions_a_report",
            Family.FINDINGS,
            contradictions,
            of_drafts(pairs, _broken, 2),
            ratio,
            higher_is_better=False,
        ),
        Metric(
            "invented_comparisons",
            Family.FINDINGS,
            invented,
            of_drafts(pairs, _invented, 2),
            ratio,
            higher_is_better=False,
            bounds=SHARE,
        ),
    ]


def _broken(pair: Pair, draft: Report) -> Terms:
    return float(len(check(draft, pair.views or None, had_prior(pair)))), 1.0


def _invented(pair: Pair, draft: Report) -> Terms:
    prior = had_prior(pair)
    return float(not prior and compares(draft, pair.text or "")), float(not prior)


def had_prior(pair: Pair) -> bool:
    """Whether a prior study was at hand: the data set says so, or the reference speaks of one."""
    return pair.has_prior or compares(pair.reference, pair.reference_text)


def invents_comparison(pair: Pair, draft: Report) -> bool:
    """Whether a draft compares with a prior where there was none."""
    return compares(draft, pair.text or "") and not had_prior(pair)


def compares(report: Report, text: str) -> bool:
    """Whether a report compares with a prior study: in a comparison, by a change of a finding, or in its text.

    A report that states that there is no prior is not searched for such phrases: `no prior study to compare with`.
    """
    by_finding = any(f.change is not None or f.kind is Kind.DEVELOPING_ASYMMETRY for f in report.findings)
    if by_finding or report.comparison is not None:
        return by_finding or (report.comparison is not None and report.comparison.available)
    return _WORDS_OF_CHANGE.search(text) is not None
