"""Where the embedded model is trained, and what that computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch

BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Names of bfloat16 arithmetic among the capabilities of an x86 or ARM processor (`torch.cpu.get_capabilities`)."""
Batch = TypeVar("Batch")


def training_device() -> torch.device:
    """The machine's accelerator where PyTorch finds one (`CUDA_VISIBLE_DEVICES=` hides it), else the processor."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def computes_bf16(device: torch.device) -> bool:
    """Whether a device has arithmetic in bfloat16; without it, PyTorch's is twenty times slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(capabilities.get(name, False) for name in BF16)


def autocast_on(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where a device computes in it, else float32. Loss and weights are float32 in both."""
    return torch.autocast(device.type, torch.bfloat16) if computes_bf16(device) else nullcontext()


def moved(batch: Batch, device: torch.device) -> Batch:
    """A dataclass of tensors, and of dictionaries of tensors, on a device."""
    return replace(batch, **{field.name: _moved(getattr(batch, field.name), device) for field in fields(batch)})  # type: ignore[type-var,arg-type]


def _moved(value: Any, device: torch.device) -> Any:
    return {name: part.to(device) for name, part in value.items()} if isinstance(value, dict) else value.to(device)
