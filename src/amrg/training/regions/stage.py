"""The region head trained on candidates of a tower that stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from amrg.models.embedded.attributes import ATTRIBUTES
from amrg.models.embedded.efficientnet import EfficientNetLite0
from amrg.models.embedded.mammogram_tower import MammogramTower
from amrg.models.embedded.region_head import LOCAL, WIDTHS, RegionHead, split_correction
from amrg.training.embedded.devices import autocast_on, moved
from amrg.training.embedded.loop import Schedule, StageRun
from amrg.training.regions.examples import EDGE, RegionBatch, RegionBatches
from amrg.training.tower.place_targets import IGNORE

WEIGHT_REAL = 0.5  # of the squared corrections on real views
DOUBT = 0.2  # standard deviation of what is added to the maps' logits, so that they are not relied on too much
RETAINED = {"category": 0.5, "morphology": 0.5}
"""Shares of a correction that stay after training, chosen on held-out phantoms: of others the head is too sure."""
DROPPED = 0.2  # share of the features that a step goes without


class NormedRegionHead(nn.Module):
    """A region head with batch norms between its convolutions, for training; it takes regions, not views.

    `folded` is the head itself.
    """

    def __init__(self, head: RegionHead) -> None:
        super().__init__()
        self.head = head
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in WIDTHS)
        self.dropout = nn.Dropout(DROPPED)

    def forward(self, regions: Tensor, features: Tensor) -> Tensor:
        """Regions [n, channels, side, side] and features [n, width] to corrections [n, `CORRECTED`]."""
        x = regions
        for convolution, norm in zip(self.head.convolutions, self.norms, strict=True):
            x = functional.relu(norm(convolution(x)))
        return self.head.correct(x, features, self.dropout)

    def folded(self) -> RegionHead:
        """The head with the norms in its convolutions, in evaluation mode."""
        self.eval()
        for i, (convolution, norm) in enumerate(zip(self.head.convolutions, self.norms, strict=True)):
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            self.head.convolutions[i] = fuse_conv_bn_eval(convolution, norm)
        return self.head


def finest_features(backbone: EfficientNetLite0, batch: RegionBatch) -> Tensor:
    """The finest features of every region of a batch, 0 beyond its view."""
    x = backbone.finest(batch.pixels.to(memory_format=torch.channels_last))
    side = x.shape[2] - EDGE
    return (x * batch.inside)[:, :, EDGE:side, EDGE:side]


def region_loss(
    head: NormedRegionHead, backbone: EfficientNetLite0, batch: RegionBatch
) -> tuple[Tensor, Mapping[str, float]]:
    """Cross-entropy of a drawn lesion's attributes after the correction, and the square of a real one's correction.

    Few real lesions are described: a head that learns from them knows them by heart, and is wrong on others
    (docs/lab-notes.md). So real views stay as the maps see them.
    """
    batch = moved(batch, backbone.stem.weight.device)
    with autocast_on(batch.pixels.device):
        with torch.no_grad():
            regions = finest_features(backbone, batch)
        correction = head(regions, batch.features).float()
    logits = batch.logits + DOUBT * torch.randn_like(batch.logits) + correction
    attributes = batch.attributes.where(batch.drawn[:, None], IGNORE)
    parts = {
        name: functional.cross_entropy(values, targets, ignore_index=IGNORE, reduction="sum") / len(logits)
        for name, values, targets in zip(LOCAL, split_correction(logits), attributes.unbind(1), strict=True)
    }
    parts["real"] = WEIGHT_REAL * correction[~batch.drawn].square().sum() / len(logits)
    return torch.stack(list(parts.values())).sum(), {name: float(part.detach()) for name, part in parts.items()}


def seeded_loss(
    head: NormedRegionHead, backbone: EfficientNetLite0, batches: RegionBatches, schedule: Schedule, step: int
) -> tuple[Tensor, Mapping[str, float]]:
    """The loss of a step, determined by the schedule's seed and the step."""
    torch.manual_seed(schedule.seed * schedule.steps + step)  # of dropout and doubt
    return region_loss(head, backbone, batches(step))


def train_regions(tower: MammogramTower, batches: RegionBatches, schedule: Schedule, folder: Path) -> None:
    """Train a tower's region head, its own weights averaged; all else stays as it is."""
    run = StageRun(NormedRegionHead(tower.regions), schedule, folder)
    run.resume()
    head = run.module
    assert isinstance(head, NormedRegionHead)
    tower.eval()
    run.train(lambda step: seeded_loss(head, tower.backbone, batches, schedule, step))
    head.load_state_dict(run.averaged_state())
    tower.regions = head.folded()
    soften(tower.regions)


@torch.no_grad()
def soften(head: RegionHead) -> None:
    """Scale the corrections of the attributes that a head is too sure of by `RETAINED`."""
    start = 0
    for name in LOCAL:
        end = start + len(ATTRIBUTES[name])
        for part in (head.correction.weight, head.correction.bias):
            part[start:end] *= RETAINED.get(name, 1.0)
        start = end
