"""The suspicion calibrated on views that the tower was not trained on, with more weight on the surest malignant place.

The head as trained reads pooled features too, which know a training image; the surest place generalises better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from amrg.models.embedded.attributes import PLACES
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.training.tower.labelled_views import LabelledView
from amrg.training.tower.place_targets import MALIGNANT
from amrg.training.tower.reading import read_batches

ITERATIONS = 100


@dataclass(frozen=True)
class SuspicionFit:
    """The suspicion's logit is `own` times what it was, plus `malignant` times the surest malignant place's, plus
    `bias`."""

    own: float
    malignant: float
    bias: float


def calibrate_suspicion(tower: MammogramTower, views: Sequence[LabelledView], size: int) -> SuspicionFit:
    """Fit the suspicion on views whose suspicion is known, and fold the fit into its head."""
    known = [view for view in views if view.suspicion is not None]
    fit = fit_suspicion(suspicion_evidence(tower, known, size), known)
    head = tower.heads.suspicion
    with torch.no_grad():
        head.weight.mul_(fit.own)
        head.weight[0, MALIGNANT - PLACES] += fit.malignant
        head.bias.mul_(fit.own).add_(fit.bias)
    return fit


def fit_suspicion(evidence: Tensor, views: Sequence[LabelledView]) -> SuspicionFit:
    """Logistic regression on evidence [views, 2], the head's logit and the surest malignant place's.

    Every source counts the same, however many views of it there are; neither weight is negative.
    """
    targets = torch.tensor([view.suspicion for view in views], dtype=torch.float64)
    counts = Counter(view.source for view in views)
    weights = torch.tensor([1 / counts[view.source] for view in views], dtype=torch.float64)
    weights /= weights.sum()
    parameters = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = evidence.double() @ functional.softplus(parameters[:2]) + parameters[2]
        found = (functional.binary_cross_entropy_with_logits(logits, targets, reduction="none") * weights).sum()
        torch.autograd.backward(found)
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    own, malignant = functional.softplus(parameters.detach()[:2]).tolist()
    return SuspicionFit(own, malignant, float(parameters.detach()[2]))


@torch.inference_mode()
def suspicion_evidence(tower: MammogramTower, views: Sequence[LabelledView], size: int) -> Tensor:
    """Logits [views, 2]: of the suspicion, and of the surest malignant place."""
    found = []
    for out in read_batches(tower, views, size):
        assert out.maps is not None
        assert out.maps.suspicion is not None
        assert out.maps.malignant is not None
        found.append(torch.stack([out.maps.suspicion, out.maps.malignant.flatten(1).amax(1)], 1).float().cpu())
    return torch.cat(found)
