"""Depthwise convolutions with fixed filters, at a quarter of the time on processors.

Most of a small net's time is the gradient of its depthwise convolutions, which hold 4 % of its weights. Their filters
stay as they were pretrained; what remains of the gradient is itself a depthwise convolution, which runs in bfloat16.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from amrg.models.embedded.efficientnet import EfficientNetLite0, InvertedResidual


class _FixedDepthwise(torch.autograd.Function):
    """The convolution; gradients for its input and bias only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.stride, ctx.shape = stride, x.shape
        return functional.conv2d(x, kernel, bias, stride, kernel.shape[2] // 2, 1, kernel.shape[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, Tensor | None, None]:
        (gradient,) = gradients
        (kernel,) = ctx.saved_tensors
        bias = gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        if not ctx.needs_input_grad[0]:
            return None, None, bias, None
        if ctx.stride > 1:  # back on the grid of the input, with nothing between
            spread = gradient.new_zeros(ctx.shape).to(memory_format=torch.channels_last)
            spread[:, :, :: ctx.stride, :: ctx.stride] = gradient
            gradient = spread
        turned = kernel.flip(2, 3)
        x = functional.conv2d(gradient, turned, None, 1, kernel.shape[2] // 2, 1, kernel.shape[0])
        return x, None, bias, None


class FixedDepthwise(nn.Conv2d):
    """A depthwise convolution whose filters are not trained; H and W must be multiples of its stride."""

    @classmethod
    def of(cls, convolution: nn.Conv2d) -> FixedDepthwise:
        """The same convolution with the same tensors, its filters fixed."""
        channels, kernel = convolution.in_channels, convolution.kernel_size[0]
        made = cls(channels, channels, kernel, convolution.stride[0], kernel // 2, groups=channels)
        made.weight, made.bias = convolution.weight, convolution.bias
        made.weight.requires_grad_(False)
        return made

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] to [B, channels, H / stride, W / stride], in the type of `x`."""
        assert self.bias is not None
        bias = self.bias.to(x.dtype)
        found: Tensor = _FixedDepthwise.apply(x, self.weight.to(x.dtype), bias, self.stride[0])  # type: ignore[no-untyped-call]
        return found


def fix_depthwise(backbone: EfficientNetLite0) -> None:
    """Exchange every depthwise convolution in place; names and shapes of the weights stay."""
    for block in backbone.modules():
        if isinstance(block, InvertedResidual):
            block.depthwise = FixedDepthwise.of(block.depthwise)
