"""What needs no model library loads none: each import is tried in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = (
    "amrg.core",
    "amrg.birads",
    "amrg.birads.draft",
    "amrg.imaging",
    "amrg.metrics",
    "amrg.models",
    "amrg.models.known_answers",
    "amrg.models.views",
    "amrg.models.settings",
    "amrg.generation",
    "amrg.generation.engines.base",
    "amrg.generation.engines.fixed",
    "amrg.generation.engines.loading",
    "amrg.generation.engines.openai_engine",
    "amrg.generation.engines.agreement",
)


@pytest.mark.parametrize("module", LIGHT)
def test_no_model_library_is_loaded(module: str) -> None:
    script = f"import sys, {module}; sys.exit(' '.join({{'torch', 'transformers', 'peft'}} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
