"""A small convolutional tower in place of Gemma 3's SigLIP: it learns small bright things in minutes.

Four stages to cells of 16 pixels, residual 3 x 3 convolutions with batch norm (He 2016), the last ones dilated so that
a cell sees half a breast; a fifth to image tokens of 48 pixels, which weighs what their cells hold. Importing
this module registers it with transformers under the model type `amrg_conv_tower`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel, initialization
from transformers.modeling_outputs import BaseModelOutput

CELL = 16  # image pixels a side of a cell: where the fourth stage ends
POOL = 3  # cells a side of an image token: the fifth stage's stride


class ConvTowerConfig(PretrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """Widths of the stages, and what Gemma's projector asks of a tower: hidden size, image size, stride."""

    model_type = "amrg_conv_tower"

    def __init__(
        self,
        widths: tuple[int, ...] = (24, 48, 96, 160, 192),
        image_size: int = 384,
        num_channels: int = 3,
        layer_norm_eps: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        self.widths = list(widths)
        self.hidden_size = self.widths[-1]
        self.image_size = image_size
        self.patch_size = CELL * POOL
        self.num_channels = num_channels
        self.layer_norm_eps = layer_norm_eps
        for derived in ("hidden_size", "patch_size"):
            kwargs.pop(derived, None)
        super().__init__(**kwargs)


class Residual(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] to the same."""
        return torch.relu(x + self.body(x))


def _down(before: int, after: int, stride: int = 2) -> nn.Sequential:
    """A `stride`-th of the size, another width."""
    convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1 if stride == 2 else 0, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


class ConvTower(PreTrainedModel):  # type: ignore[misc]  # transformers is not typed
    """Pixels [B, 3, H, W] to features of every image token [B, H/48 * W/48, hidden_size]."""

    config_class = ConvTowerConfig
    main_input_name = "pixel_values"

    def __init__(self, config: ConvTowerConfig) -> None:
        super().__init__(config)
        first, second, third, fourth, last = config.widths
        stem = nn.Sequential(nn.Conv2d(first, first, 3, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        self.stages = nn.ModuleList(
            [
                nn.Sequential(_down(config.num_channels, first), stem),
                nn.Sequential(_down(first, second), Residual(second)),
                nn.Sequential(_down(second, third), Residual(third)),
                nn.Sequential(_down(third, fourth), Residual(fourth, dilation=2), Residual(fourth, dilation=4)),
                nn.Sequential(_down(fourth, last, POOL), Residual(last), Residual(last)),
            ]
        )
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """He's initialisation for convolutions; batch norm starts as the identity.

        Through transformers' own functions, which leave alone what was loaded from a checkpoint.
        """
        if isinstance(module, nn.Conv2d):
            initialization.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                initialization.ones_(tensor)
            for tensor in (module.bias, module.running_mean):
                initialization.zeros_(tensor)

    def forward(self, pixel_values: Tensor, output_hidden_states: bool = False, **_: Any) -> BaseModelOutput:
        """Features of every image token, and of every stage as [B, width, rows, columns] where asked."""
        x = pixel_values.to(memory_format=torch.channels_last)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return BaseModelOutput(
            last_hidden_state=x.flatten(2).transpose(1, 2),
            hidden_states=tuple(maps) if output_hidden_states else None,
        )


AutoConfig.register(ConvTowerConfig.model_type, ConvTowerConfig)
AutoModel.register(ConvTowerConfig, ConvTower)
