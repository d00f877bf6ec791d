"""ImageNet weights as their package names them, at random."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amrg.models.embedded.efficientnet import EfficientNetLite0, InvertedResidual


def package_weights(backbone: EfficientNetLite0) -> dict[str, Tensor]:
    """Weights as the package names them, of the right shapes."""
    made: dict[str, Tensor] = {}

    def add(conv: str, norm: str, module: nn.Conv2d) -> None:
        made[f"{conv}.weight"] = torch.randn_like(module.weight) * 0.2
        made[f"{norm}.weight"] = torch.rand(module.out_channels) + 0.5
        made[f"{norm}.bias"] = torch.randn(module.out_channels) * 0.1

    torch.manual_seed(0)
    add("_conv_stem", "_bn0", backbone.stem)
    for i, block in enumerate(m for m in backbone.modules() if isinstance(m, InvertedResidual)):
        if isinstance(block.expand, nn.Conv2d):
            add(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", block.expand)
        add(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", block.depthwise)
        add(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", block.project)
    return made
