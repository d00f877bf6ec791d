"""The mean of category, density and findings metrics: one number to select by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amrg.metrics.clinical.by_place import finding_f1_by_place
from amrg.metrics.clinical.categories import birads_accuracy_7_worst_strict, density_accuracy_strict
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Array, Metric
from amrg.metrics.pairs import Pair
from amrg.metrics.strict import strict_twin, with_empty_drafts


def mean_parts(pairs: Sequence[Pair]) -> list[Metric]:
    """The metrics that `clinical_mean` is the mean of."""
    found = strict_twin(finding_f1_by_place(with_empty_drafts(pairs)))
    return [birads_accuracy_7_worst_strict(pairs), density_accuracy_strict(pairs), found]


def clinical_mean(parts: Sequence[Metric]) -> Metric:
    """The mean of some metrics over the same cases, of those that have a value.

    A case that one of them cannot score still counts in the others; it is unscored where none of them scores it.
    """
    names = ", ".join(part.name for part in parts)
    scored = np.any([part.scored for part in parts], axis=0)
    terms = np.concatenate([np.where(part.scored[:, None], part.terms, 0.0) for part in parts], axis=1)
    ends = np.cumsum([part.terms.shape[1] for part in parts])[:-1]

    def combine(sums: Array) -> Array:
        columns = np.split(sums, ends, axis=-1)
        values = np.stack([part.combine(own) for part, own in zip(parts, columns, strict=True)])
        defined = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            mean: Array = np.where(defined, values, 0.0).sum(axis=0) / defined.sum(axis=0)
        return mean

    about = f"mean of {names}, of those that have a value"
    terms = np.where(scored[:, None], terms, np.nan)
    return Metric("clinical_mean", Family.CLINICAL, about, terms, combine, bounds=SHARE)
