"""What libraries would send to their makers, turned off before they are imported: amrg's machines report to nobody."""

from __future__ import annotations

import os

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime 1.32 writes an identifier into the home folder, and uploads events
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""Environment variables, each read by its library alone."""


def turn_off_telemetry() -> None:
    """Set the switches, but for those that the environment sets already."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
