"""What holds for every test: no clock decides whether it passes."""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, settings

# Hypothesis would fail an example that takes 200 ms and a test whose examples are slow to draw: both are times, which
# belong to the machine. Derandomised, so that every machine sees the same examples.
settings.register_profile("amrg", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("amrg")

# `ATEN_CPU_CAPABILITY` chooses torch's own kernels and leaves oneDNN at what the processor can do: with AVX-512 there,
# bfloat16 attention is then sent to a kernel that was not chosen. A lesser processor is imitated in both.
ONEDNN_ISA = {"default": "SSE41", "avx2": "AVX2"}
if (isa := ONEDNN_ISA.get(os.environ.get("ATEN_CPU_CAPABILITY", ""))) is not None:
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", isa)


def pytest_collection_finish() -> None:
    """What was imported stays until the end: no collection of garbage looks through it again."""
    gc.collect()
    gc.freeze()
