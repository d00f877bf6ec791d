"""What the embedded model's training computes in on this processor."""

from __future__ import annotations

import torch

BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Names of bfloat16 arithmetic among the capabilities of an x86 or ARM processor (`torch.cpu.get_capabilities`)."""


def computes_bf16() -> bool:
    """Whether the processor has arithmetic in bfloat16; without it, PyTorch's is twenty times slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in BF16)


def cpu_autocast() -> torch.autocast:
    """bfloat16 where the processor computes in it, else float32. Loss and weights are float32 in both."""
    return torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16())
