"""Rows of terms from values a case: what a case adds to the sums, or not a number where it cannot be scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from amrg.benchmark.metric import Array
from amrg.benchmark.pairs import Pair
from amrg.birads import Report

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


def drafted(pair: Pair) -> Report | None:
    """The facts of the draft; None where the system failed, or its text was not read."""
    return None if pair.text is None else pair.report
