"""How far are images from those that a model was trained on? By its own image tokens; stated in the draft.

Mahalanobis distance (Lee 2018) of the mean of a view's image tokens, under probabilistic principal components
(Tipping 1999): full covariance along the widest directions, one variance for all others. A few hundred images fit it,
and it stays small for the widest towers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.models.guard.storage import Numbers, read_guard_file, write_guard_file

FILE_NAME = "guard.safetensors"
CONTENT = "distance from the training images, 2"
DIRECTIONS = 32  # at most; and at most one for every eight views
FOLDS = 5
USUAL = 0.99  # of the studies that it was not fitted on are within the threshold
MARGIN = 1.1  # the threshold over that quantile: few studies say little of their extremes
_NAMES = ("mean", "directions", "variances", "rest", "threshold")


@dataclass(frozen=True)
class DomainCheck:
    """A study's distance from the training images, and the threshold up to which one is usual."""

    distance: float
    threshold: float

    @property
    def in_domain(self) -> bool:
        """Whether the distance is usual."""
        return self.distance <= self.threshold


@dataclass(frozen=True)
class TrainingDistance:
    """The distance of a study from a model's training images, about 1 for those.

    `mean` [features]; `directions` [directions, features], orthonormal, with the `variances` along them; `rest` is the
    variance of each other direction. Studies within `threshold` are like the training images.
    """

    mean: Numbers
    directions: Numbers
    variances: Numbers
    rest: float
    threshold: float

    def of_study(self, views: Numbers) -> float:
        """Root of the mean squared distance of a study's views [views, features], a feature."""
        off = views - self.mean
        along = off @ self.directions.T
        beyond = np.maximum((off * off).sum(1) - (along * along).sum(1), 0.0)
        squared = ((along * along) / self.variances).sum(1) + beyond / self.rest
        return float(np.sqrt(squared.mean() / len(self.mean)))

    def check(self, views: Numbers) -> DomainCheck:
        """The distance of a study's views, with the threshold."""
        return DomainCheck(self.of_study(views), self.threshold)

    def save(self, folder: Path) -> None:
        """Write it next to a checkpoint or an adapter."""
        ends = {"rest": np.array([self.rest]), "threshold": np.array([self.threshold])}
        tensors = {"mean": self.mean, "directions": self.directions, "variances": self.variances, **ends}
        write_guard_file(folder / FILE_NAME, CONTENT, tensors)

    @classmethod
    def load(cls, folder: Path | None) -> TrainingDistance | None:
        """What is stored next to a checkpoint or an adapter; None where there is none: not trained by amrg.

        Raises:
            ModelError: the file is damaged, or of another version of amrg.
        """
        if folder is None or not (folder / FILE_NAME).is_file():
            return None
        stored = read_guard_file(folder / FILE_NAME, CONTENT, _NAMES)
        rest, threshold = float(stored["rest"][0]), float(stored["threshold"][0])
        return cls(stored["mean"], stored["directions"], stored["variances"], rest, threshold)


def fit_distance(studies: Sequence[npt.ArrayLike]) -> TrainingDistance:
    """Fit to studies, each [views, features]; the threshold is from studies that a part of the fits has not seen.

    Raises:
        ValueError: fewer than two studies.
    """
    views = [np.asarray(study, np.float64) for study in studies]
    if len(views) < 2:
        raise ValueError("a distance needs at least two studies")
    folds = min(FOLDS, len(views))
    unseen = []
    for fold in range(folds):
        fitted = _fitted([study for i, study in enumerate(views) if i % folds != fold])
        unseen += [fitted.of_study(study) for study in views[fold::folds]]
    whole = _fitted(views)
    threshold = MARGIN * float(np.quantile(unseen, USUAL))
    return TrainingDistance(whole.mean, whole.directions, whole.variances, whole.rest, threshold)


def _fitted(studies: Sequence[Numbers]) -> TrainingDistance:
    """Mean and variances of all views, without a threshold."""
    stacked = np.concatenate(studies)
    mean = stacked.mean(0)
    _, widths, directions = np.linalg.svd(stacked - mean, full_matrices=False)
    variances = widths**2 / max(1, len(stacked) - 1)
    floor = 1e-6 * float(variances.sum()) / len(mean) + 1e-12
    count = max(1, min(DIRECTIONS, len(stacked) // 8, len(mean) - 1))
    rest = max(floor, float(variances[count:].sum()) / max(1, len(mean) - count))
    return TrainingDistance(mean, directions[:count], np.maximum(variances[:count], floor), rest, np.inf)
