"""The first guard: a distance in the model's image-feature space from its training images.

Mahalanobis distance (Lee 2018) of a view's feature statistics to those of training phantoms, with a covariance
shrunk a little towards its diagonal. The statistics are those of the first two stages, where features are texture:
what later stages represent, a lesion or an island of tissue, a film may share with a drawing. They are taken as
logarithms, for exposure and contrast multiply. It is fitted, not calibrated: it states "unlike the training images", no
more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

FILE_NAME = "guard.safetensors"
SHRINKAGE = 1e-3
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Guard:
    """Mean [features], precision [features, features], and the distance above which a study is refused."""

    mean: Array
    precision: Array
    threshold: float

    def distance(self, statistics: Array) -> float:
        """Root of the mean squared Mahalanobis distance of a study's views [views, features], a feature."""
        off = statistics - self.mean
        squared = np.einsum("vi,ij,vj->v", off, self.precision, off) / off.shape[1]
        return float(np.sqrt(np.maximum(squared, 0.0).mean()))

    def save(self, folder: Path) -> None:
        """Write the guard next to a checkpoint."""
        arrays = {"mean": self.mean, "precision": self.precision, "threshold": np.array([self.threshold])}
        save_file({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, folder / FILE_NAME)

    @classmethod
    def load(cls, folder: Path | None) -> Guard | None:
        """The guard stored next to a checkpoint; None where there is none (a model that amrg did not train)."""
        if folder is None or not (folder / FILE_NAME).is_file():
            return None
        stored = {k: v.astype(np.float64) for k, v in load_file(folder / FILE_NAME).items()}
        return cls(stored["mean"], stored["precision"], float(stored["threshold"][0]))


def fit_guard(views: Array, studies: list[Array], quantile: float, margin: float) -> Guard:
    """Fit to views [views, features]; the threshold is `margin` times a quantile of held-out studies' distances."""
    mean = views.mean(0)
    covariance = np.cov(views, rowvar=False)
    spread = np.diag(np.diag(covariance))
    shrunk = (
        (1 - SHRINKAGE) * covariance + SHRINKAGE * spread + 1e-6 * np.trace(covariance) / len(mean) * np.eye(len(mean))
    )
    unset = Guard(mean, np.linalg.inv(shrunk), np.inf)
    distances = [unset.distance(study) for study in studies]
    return Guard(mean, unset.precision, margin * float(np.quantile(distances, quantile)))
