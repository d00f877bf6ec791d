"""The tower's start: pretrained weights with norms folded in, and fixed depthwise filters."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from amrg.models.embedded.efficientnet import EfficientNetLite0
from amrg.training.tower.depthwise import FixedDepthwise, fix_depthwise
from amrg.training.tower.pretrained import EPSILON, PretrainedError, load_pretrained
from tests.training.package_weights import package_weights


def test_folded_norms_are_the_norms_of_the_images() -> None:
    backbone = EfficientNetLite0()
    weights = package_weights(backbone)
    images = torch.randn(4, 3, 64, 64)
    load_pretrained(backbone, weights, images)
    norm = nn.BatchNorm2d(32, eps=EPSILON).train()
    norm.weight.data, norm.bias.data = weights["_bn0.weight"], weights["_bn0.bias"]
    with torch.no_grad():
        expected = norm(functional.conv2d(images, weights["_conv_stem.weight"], None, 2, 1))
        found = backbone.stem(images)
        last = backbone(images)[-1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    project = weights["_blocks.15._bn2.bias"]  # the mean of a normed layer is its shift
    torch.testing.assert_close(last.mean((0, 2, 3)), project, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("change", ["missing", "shape"])
def test_weights_that_do_not_fit_are_named(change: str) -> None:
    backbone = EfficientNetLite0()
    weights = package_weights(backbone)
    name = "_blocks.3._project_conv.weight"
    weights[name] = weights[name][:-1]
    if change == "missing":
        del weights[name]
    with pytest.raises(PretrainedError, match=re.escape(name)):
        load_pretrained(backbone, weights, torch.randn(1, 3, 32, 32))


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_fixed_filters_give_the_gradients_of_autograd(kernel: int, stride: int) -> None:
    torch.manual_seed(kernel + stride)
    plain = nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6).double()
    fixed = FixedDepthwise.of(plain)
    assert plain.bias is not None
    assert fixed.bias is not None
    x = torch.randn(2, 6, 8, 12, dtype=torch.float64, requires_grad=True)
    weight = torch.randn_like(plain(x))
    expected = torch.autograd.grad(
        (functional.conv2d(x, plain.weight, plain.bias, stride, kernel // 2, 1, 6) * weight).sum(), (x, plain.bias)
    )
    found = torch.autograd.grad((fixed(x) * weight).sum(), (x, fixed.bias))
    torch.testing.assert_close(found, expected)


def test_fixing_changes_no_weight_and_no_output() -> None:
    torch.manual_seed(0)
    backbone = EfficientNetLite0()
    x = torch.randn(1, 3, 32, 64)
    before, names = backbone(x)[-1], list(backbone.state_dict())
    fix_depthwise(backbone)
    assert list(backbone.state_dict()) == names
    assert torch.equal(backbone(x)[-1], before)
    backbone(x)[-1].sum().backward()
    assert all(p.grad is None for n, p in backbone.named_parameters() if n.endswith("depthwise.weight"))
    assert all(p.grad is not None for n, p in backbone.named_parameters() if n.endswith("project.weight"))
