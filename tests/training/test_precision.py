"""What training computes in follows the processor."""

from __future__ import annotations

import pytest
import torch

from amrg.training.embedded.precision import cpu_autocast


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False}, torch.float32),
        ({"avx2": True, "avx512_bf16": True}, torch.bfloat16),
        ({"neon": True, "bf16": True}, torch.bfloat16),
    ],
)
def test_bfloat16_only_where_the_processor_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    with cpu_autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype is expected
