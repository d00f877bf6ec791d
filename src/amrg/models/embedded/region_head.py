"""A second look at every candidate: the finest features around it, read by themselves (Fast R-CNN, Girshick 2015).

A cell's features serve every read-out of the pyramid and mix what is around with what is there. What tells one
morphology of calcifications from another, or a round mass from an oval one, is a few pixels wide.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from amrg.models.embedded.attributes import ATTRIBUTES

REGION = 16  # finest features a side, of 4 pixels each: 64 pixels, some 30 mm of a breast
FINEST = 4  # image pixels a side of the finest features
WIDTHS = (64, 64, 96, 96)
STRIDES = (1, 1, 2, 1)
HIDDEN = 128
LOCAL = ("category", "shape", "margin", "density", "morphology", "distribution")
"""The attributes that a region shows; where in the breast it is, it does not."""
CORRECTED = sum(len(ATTRIBUTES[name]) for name in LOCAL)


class PlaceLogits(NamedTuple):
    """What is predicted at some places of views: logits, but for `boxes`.

    `places` [B, n, 2 + kinds], of a lesion of any kind, of a malignant one and of each kind; `attributes` name to
    [B, n, values]; `boxes` [B, n, 4], the distances to left, top, right and bottom in cells.
    """

    places: Tensor
    attributes: dict[str, Tensor]
    boxes: Tensor

    def plus(self, correction: Tensor) -> PlaceLogits:
        """With a region head's correction [B, n, `CORRECTED`] added to the attributes that it is of."""
        parts = zip(LOCAL, split_correction(correction), strict=True)
        corrected = {name: self.attributes[name] + part for name, part in parts}
        return self._replace(attributes={**self.attributes, **corrected})


def split_correction(correction: Tensor) -> tuple[Tensor, ...]:
    """The parts of [..., `CORRECTED`], in the order of `LOCAL`."""
    return torch.split(correction, [len(ATTRIBUTES[name]) for name in LOCAL], -1)


class Correction(nn.Linear):
    """What is added to logits; it starts from nothing."""


class RegionHead(nn.Module):
    """Convolutions over the region around a place, and two layers over what they find and the place's own features."""

    def __init__(self, finest: int, width: int) -> None:
        super().__init__()
        before = (finest, *WIDTHS[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride, 1) for a, b, stride in zip(before, WIDTHS, STRIDES, strict=True)
        )
        self.hidden = nn.Linear(2 * WIDTHS[-1] + width, HIDDEN)
        self.correction = Correction(HIDDEN, CORRECTED)

    def forward(self, finest: Tensor, features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The correction of every place's logits, [B, n, `CORRECTED`].

        `finest` [B, channels, H / 4, W / 4]; `features` [B, n, width] of the places' cells, whose `rows` and `columns`
        are int64 [B, n].
        """
        x = regions_at(finest, rows, columns)
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        return torch.unflatten(self.correct(x, features.flatten(0, 1), nn.Identity()), 0, rows.shape)

    def correct(self, found: Tensor, features: Tensor, dropout: nn.Module) -> Tensor:
        """From what the convolutions found [n, channels, side, side] and cells' features [n, width] to corrections."""
        pooled = torch.cat([found.mean((2, 3)), found.amax((2, 3)), features], 1)
        correction: Tensor = self.correction(dropout(functional.relu(self.hidden(dropout(pooled)))))
        return correction


def regions_at(finest: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The regions around the middles of cells of 8 pixels, [B * n, channels, `REGION`, `REGION`]; 0 beyond the view."""
    half = REGION // 2
    padded = functional.pad(finest, (half, half, half, half))
    reach = torch.arange(REGION, device=rows.device)
    y, x = ((2 * at + 1)[..., None] + reach for at in (rows, columns))  # a cell's middle is between two features
    where = (y[..., :, None] * padded.shape[3] + x[..., None, :]).flatten(1)
    taken = padded.flatten(2).gather(2, where[:, None].expand(-1, finest.shape[1], -1))
    return torch.unflatten(taken, 2, (rows.shape[1], REGION, REGION)).transpose(1, 2).flatten(0, 1)
