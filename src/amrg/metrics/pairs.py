"""One case as it is scored: the reference and what a system wrote; and rows of terms from such cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from amrg.birads import Laterality, Report, View
from amrg.datasets.case import ReferenceSource
from amrg.metrics.metric import Array


@dataclass(frozen=True)
class Pair:
    """A reference and a draft of one case. `text` and `report` are None where the system failed: never a zero.
    `report` alone is None where the text was not read, such as one in another language.

    `reference` holds the facts (from the reference text, labels or a phantom's truth, boxes included where the data
    set has places); `report` those of the draft, with boxes where the system gave any. Where `findings_known` is False
    the data set publishes none: that `reference` lists none means nothing. `refused`: the guard would have refused the
    study; None where nobody says. `unlabelled` breasts have no reference: what a draft finds there is not in `report`.
    """

    key: str
    group: str
    source: ReferenceSource
    reference_text: str
    reference: Report
    text: str | None
    report: Report | None
    views: tuple[tuple[Laterality, View], ...] = ()
    has_prior: bool = False
    findings_known: bool = True
    refused: bool | None = None
    unlabelled: frozenset[Laterality] = frozenset()
    subgroups: dict[str, str] = field(default_factory=dict)


Terms = Sequence[float] | None
"""What one case adds to the sums; None where it cannot be scored."""


def stacked(terms: Iterable[Terms], width: int) -> Array:
    """Terms of cases as an array [cases, width]; None becomes a row that is not a number."""
    unscored = (np.nan,) * width
    made = [unscored if t is None else t for t in terms]
    return np.array(made, dtype=np.float64).reshape(len(made), width)


def of_drafts(pairs: Iterable[Pair], terms: Callable[[Pair, Report], Terms], width: int) -> Array:
    """Terms of the pairs that have a draft; a failed case cannot be scored."""
    return stacked((None if (draft := drafted(p)) is None else terms(p, draft) for p in pairs), width)


def of_all(pairs: Iterable[Pair], terms: Callable[[Pair, Report], Terms], width: int) -> Array:
    """Terms of all pairs; one without a draft that was read counts as a draft that states nothing."""
    return stacked((terms(p, drafted(p) or Report()) for p in pairs), width)


def labelled_part(report: Report, unlabelled: frozenset[Laterality]) -> Report:
    """A draft without its findings in breasts that nobody labelled: they are neither right nor wrong."""
    if not unlabelled:
        return report
    findings = tuple(finding for finding in report.findings if finding.laterality not in unlabelled)
    return report.model_copy(update={"findings": findings})


def drafted(pair: Pair) -> Report | None:
    """The facts of the draft; None where the system failed, or its text was not read."""
    return None if pair.text is None else pair.report
