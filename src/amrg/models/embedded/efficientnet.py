"""EfficientNet-Lite0 (Tan 2019; batch norms folded into the convolutions): the tower's convolutional stages."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional


class BlockStage(NamedTuple):
    """One stage of EfficientNet-Lite0 (Tan 2019, table 1, without attention)."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


STEM = 32
STAGES = (
    BlockStage(1, 3, 1, 1, 16),
    BlockStage(2, 3, 2, 6, 24),
    BlockStage(2, 5, 2, 6, 40),
    BlockStage(3, 3, 2, 6, 80),
    BlockStage(3, 5, 1, 6, 112),
    BlockStage(4, 5, 2, 6, 192),
    BlockStage(1, 3, 1, 6, 320),
)
READ = (1, 2, 4, 6)  # stages that the pyramid reads: steps of 4, 8, 16 and 32 pixels


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection, around a shortcut where shapes allow (Sandler 2018)."""

    def __init__(self, before: int, after: int, stage: BlockStage, stride: int) -> None:
        super().__init__()
        middle = before * stage.expansion
        self.expand = nn.Conv2d(before, middle, 1) if stage.expansion > 1 else nn.Identity()
        self.depthwise = nn.Conv2d(middle, middle, stage.kernel, stride, stage.kernel // 2, groups=middle)
        self.project = nn.Conv2d(middle, after, 1)
        self.has_shortcut = stride == 1 and before == after
        self.expands = stage.expansion > 1

    def forward(self, x: Tensor) -> Tensor:
        """[B, before, H, W] to [B, after, H / stride, W / stride]."""
        y = functional.relu6(self.expand(x)) if self.expands else x
        y = self.project(functional.relu6(self.depthwise(y)))
        out: Tensor = x + y if self.has_shortcut else y
        return out


class EfficientNetLite0(nn.Module):
    """The convolutional stages; features at steps of 4, 8, 16 and 32 pixels."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, STEM, 3, 2, 1)
        self.stages = nn.ModuleList()
        before = STEM
        for stage in STAGES:
            blocks = []
            for i in range(stage.blocks):
                blocks.append(InvertedResidual(before, stage.width, stage, stage.stride if i == 0 else 1))
                before = stage.width
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Pixels [B, 3, H, W], H and W multiples of 32, to four feature maps, finest first."""
        x = self.finest(x)
        maps = [x]
        for i in range(READ[0] + 1, len(STAGES)):
            x = self.stages[i](x)
            if i in READ:
                maps.append(x)
        return maps

    def finest(self, x: Tensor) -> Tensor:
        """The first of the four maps."""
        x = functional.relu6(self.stem(x))
        for stage in self.stages[: READ[0] + 1]:
            x = stage(x)
        return x
