"""What float32 may do to a result on any machine: bounds that follow from the sums, not from what one machine gave.

Processors add in other orders and widths (AVX-512, AVX2 or neither, one thread or several, compiled or not, one batch
or two). A sum of n terms then differs by about sqrt(n) * eps of the norm of its terms (Higham and Mary 2019,
doi:10.1137/18M1226312), and each layer passes that on, forward and back. A single element says nothing: where large
terms cancel it is small and its rounding is not. So a tensor is compared by the norm of the difference, as a share of
the tensor's own norm. A mask, a position or a weight that is wrong changes that by 1e-3 and more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

TERMS = 1024
"""The tiny models' longest sums: tokens of a batch, widths, vocabularies."""
LAYERS = 8
"""The tiny models' layers on the longest way: tower, projector, language model."""
ROUNDING = 2 * LAYERS * math.sqrt(TERMS) * torch.finfo(torch.float32).eps
"""Largest difference, as a share of a tensor's norm, that rounding explains: 6e-5."""


def difference(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference as a share of the expected norm; 0 for equal tensors, zeros too."""
    assert found.shape == expected.shape
    apart = float((found.detach().double() - expected.detach().double()).norm())
    return apart and apart / float(expected.detach().double().norm() or math.nan)


def assert_same_but_rounded(found: Tensor | Mapping[str, Tensor], expected: Tensor | Mapping[str, Tensor]) -> None:
    """Tensors, or tensors by name, that differ by rounding alone; what is zero or missing in one is so in the other."""
    if isinstance(found, Tensor) or isinstance(expected, Tensor):
        found, expected = {"tensor": torch.as_tensor(found)}, {"tensor": torch.as_tensor(expected)}
    assert found.keys() == expected.keys()
    differences = {name: difference(found[name], expected[name]) for name in expected}
    assert {name: d for name, d in differences.items() if not d <= ROUNDING} == {}, f"at most {ROUNDING:.1e}"
