"""From crops to image tokens: four patches become one, lines end with a separator, the overview comes last.

The order is `sub_glb`: the crops laid out as one large grid, a separator, the whole image once more at crop size.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from amrg.models.phi3v.tower import Tower


class ImageTokens(nn.Module):
    """`vision_embed_tokens`: the tower, the two separators, the projector."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width = 4 * config.img_processor["image_dim_out"]
        self.img_processor = Tower(config)
        self.glb_GN = nn.Parameter(torch.zeros(1, 1, width))
        self.sub_GN = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.img_projection = nn.Sequential(
            nn.Linear(width, config.hidden_size), nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)
        )
        self.crop_size: int = config.crop_size

    def forward(self, pixel_values: Tensor, image_sizes: Tensor) -> list[Tensor]:
        """Image tokens [tokens, width] of each image; crops are [images, 1 + most crops, 3, size, size]."""
        return self.project(self.states(pixel_values, image_sizes), image_sizes)

    def states(self, pixel_values: Tensor, image_sizes: Tensor) -> list[Tensor]:
        """The tower's states of each image: [1 + crops, patches, tower width], the overview first.

        Crops that only fill an image up to the number of another's are skipped.
        """
        counts = [1 + rows * columns for rows, columns in map(self._grid, image_sizes)]
        crops = torch.cat([crops[:count] for crops, count in zip(pixel_values, counts, strict=True)])
        return list(torch.split(self.img_processor.vision_model.patches(crops), counts))

    def project(self, states: Sequence[Tensor], image_sizes: Sequence[Tensor] | Tensor) -> list[Tensor]:
        """Image tokens [tokens, width] of each image from its tower states and its size in pixels."""
        laid = [self._laid_out(s, *self._grid(size)) for s, size in zip(states, image_sizes, strict=True)]
        projected = self.img_projection(torch.cat(laid).to(self.glb_GN))
        return list(torch.split(projected, [len(tokens) for tokens in laid]))

    def _grid(self, size: Tensor) -> tuple[int, int]:
        """Rows and columns of crops in an image of height and width `size`."""
        height, width = size.tolist()
        return height // self.crop_size, width // self.crop_size

    def _laid_out(self, states: Tensor, rows: int, columns: int) -> Tensor:
        """An image's tokens before the projector, [tokens, 4 * tower width]."""
        return torch.cat(
            [
                self._lines(merge_image_tokens(states[1:], rows, columns)),
                self.glb_GN[0].to(states.dtype),
                self._lines(merge_image_tokens(states[:1], 1, 1)),
            ]
        )

    def _lines(self, grid: Tensor) -> Tensor:
        """A grid [height, width, n] line after line, each ended by the separator: [height * (width + 1), n]."""
        ends = self.sub_GN[0].to(grid.dtype).expand(len(grid), 1, -1)
        return torch.cat([grid, ends], dim=1).flatten(0, 1)


def merge_image_tokens(crops: Tensor, rows: int, columns: int) -> Tensor:
    """Crops [rows * columns, patches, n] as one grid in which 2 x 2 patches are one: [height, width, 4 n]."""
    half = isqrt(crops.shape[1]) // 2
    cut = crops.reshape(rows, columns, half, 2, half, 2, crops.shape[-1])
    return cut.permute(0, 2, 1, 4, 3, 5, 6).reshape(rows * half, columns * half, -1)
