"""Fitting what distinguishes a mammogram from any other picture: a few small networks over plain measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from amrg.models.guard.likeness import LARGEST, MammogramCheck
from amrg.training.guard.pictures import Measured

NETWORKS = 4
HIDDEN = 32
STEPS = 1500
BATCH = 256
NOISE = 0.25  # deviations, added to every measure: no single one decides
EXTREME = 0.01  # of each class, between which the limit is
LIMIT = 0.25  # of the way from other pictures to mammograms: unlike collections have room (decision 0025)


class _Network(nn.Module):
    def __init__(self, measures: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(measures, HIDDEN), nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of measures [B, measures]."""
        hidden = nn.functional.dropout(torch.relu(self.first(x)), 0.2, self.training)
        found: Tensor = self.last(hidden)[:, 0]
        return found


def fit_likeness(measured: Measured) -> MammogramCheck:
    """Fit to measured pictures; all kinds of either class count by the root of their number. Same input, same fit."""
    middle, spread = measured.numbers.mean(0), measured.numbers.std(0) + 1e-3
    x = torch.from_numpy(np.clip((measured.numbers - middle) / spread, -LARGEST, LARGEST)).float()
    y = torch.from_numpy(measured.is_mammogram).float()
    weights = torch.from_numpy(_weights(measured))
    networks = [_fitted(seed, x, y, weights) for seed in range(NETWORKS)]
    layers = {
        name: torch.stack([dict(n.named_parameters())[name].detach() for n in networks]).double().numpy()
        for name in ("first.weight", "first.bias", "last.weight", "last.bias")
    }
    layers["last.weight"], layers["last.bias"] = layers["last.weight"][:, 0], layers["last.bias"][:, 0]
    check = MammogramCheck(middle, spread, layers)
    likeness = check.likeness(measured.numbers)
    lowest = np.quantile(likeness[measured.is_mammogram], EXTREME)
    highest = np.quantile(likeness[~measured.is_mammogram], 1 - EXTREME)
    layers["last.bias"] = layers["last.bias"] - (highest + LIMIT * (lowest - highest))
    return check


def _fitted(seed: int, x: Tensor, y: Tensor, weights: Tensor) -> _Network:
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = _Network(x.shape[1]).train()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, STEPS)
    for _ in range(STEPS):
        drawn = torch.multinomial(weights, BATCH, replacement=True, generator=generator)
        noisy = x[drawn] + NOISE * torch.randn((BATCH, x.shape[1]), generator=generator)
        loss = nn.functional.binary_cross_entropy_with_logits(network(noisy), 0.98 * y[drawn] + 0.01)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        optimiser.step()
        schedule.step()
    return network.eval()


def _weights(measured: Measured) -> npt.NDArray[np.float64]:
    """How often each picture is drawn: both classes alike, a kind by the root of its number."""
    kinds = np.array(measured.kinds)
    weights = np.zeros(len(kinds))
    for kind in sorted(set(measured.kinds)):
        of_kind = kinds == kind
        weights[of_kind] = float(of_kind.sum()) ** -0.5
    for side in (True, False):
        of_side = measured.is_mammogram == side
        weights[of_side] /= 2 * weights[of_side].sum()
    return weights


def refused_by_kind(check: MammogramCheck, measured: Measured) -> dict[str, tuple[int, float]]:
    """Number of pictures and share refused, kind by kind."""
    refused = check.likeness(measured.numbers) < 0
    kinds: Sequence[str] = sorted(set(measured.kinds))
    chosen = {kind: np.array([k == kind for k in measured.kinds]) for kind in kinds}
    return {kind: (int(of.sum()), float(refused[of].mean())) for kind, of in chosen.items()}
