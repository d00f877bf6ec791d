"""The first guard: a distance in the model's image-feature space that marks what it has never seen.

Mahalanobis distance (Lee 2018) of a view's feature statistics to those of training phantoms, with a covariance
shrunk towards its diagonal. It is fitted, not calibrated: it answers "like nothing I was trained on", no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

FILE_NAME = "guard.safetensors"
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
        """Write the guard beside a checkpoint."""
        arrays = {"mean": self.mean, "precision": self.precision, "threshold": np.array([self.threshold])}
        save_file({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, folder / FILE_NAME)

    @classmethod
    def load(cls, folder: Path | None) -> Guard | None:
        """The guard stored beside a checkpoint; None where there is none (a model that amrg did not train)."""
        if folder is None or not (folder / FILE_NAME).is_file():
            return None
        stored = {k: v.astype(np.float64) for k, v in load_file(folder / FILE_NAME).items()}
        return cls(stored["mean"], stored["precision"], float(stored["threshold"][0]))


def fit_guard(views: Array, studies: list[Array], quantile: float, margin: float) -> Guard:
    """Fit to views [views, features]; the threshold is `margin` times a quantile of held-out studies' distances."""
    mean = views.mean(0)
    covariance = np.cov(views, rowvar=False)
    spread = np.diag(np.diag(covariance))
    shrunk = 0.9 * covariance + 0.1 * spread + 1e-6 * np.trace(covariance) / len(mean) * np.eye(len(mean))
    unset = Guard(mean, np.linalg.inv(shrunk), np.inf)
    distances = [unset.distance(study) for study in studies]
    return Guard(mean, unset.precision, margin * float(np.quantile(distances, quantile)))


@torch.inference_mode()
def see(tower: nn.Module, pictures: npt.NDArray[np.uint8]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Every stage's features of pictures uint8 [views, size, size, 3], on the processor, and the pixels in -1..1."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    device = next(tower.parameters()).device
    out = tower(pixel_values=pixels.to(device), output_hidden_states=True, return_dict=True)
    return tuple(s.float().cpu() for s in (*out.hidden_states[:-1], out.last_hidden_state)), pixels


def view_statistics(stages: tuple[Tensor, ...], pixels: Tensor) -> Array:
    """Mean and deviation of every stage's features over the breast, [views, features].

    `stages` are the tower's hidden states, [views, channels, rows, columns] or flat [views, places, channels].
    """
    breast = (pixels[:, :1] > -1 + 16 / 127.5).float()
    found = []
    for stage in stages:
        grid = stage if stage.ndim == 4 else _unflatten(stage)
        weight = torch.nn.functional.adaptive_avg_pool2d(breast, (grid.shape[2], grid.shape[3]))
        total = weight.sum((2, 3)).clamp(min=1.0)
        mean = (grid * weight).sum((2, 3)) / total
        spread = (((grid - mean[:, :, None, None]) ** 2 * weight).sum((2, 3)) / total).sqrt()
        found += [mean, spread]
    statistics: Array = torch.cat(found, 1).double().numpy()
    return statistics


def _unflatten(stage: Tensor) -> Tensor:
    """[views, side * side, channels] to [views, channels, side, side]."""
    side = round(stage.shape[1] ** 0.5)
    return stage.transpose(1, 2).reshape(len(stage), -1, side, side)
