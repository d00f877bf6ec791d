"""What needs no model library loads none: a process imports them one after the other."""

from __future__ import annotations

import subprocess
import sys

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


SCRIPT = """
import sys
from importlib import import_module
for module in sys.argv[1:]:
    import_module(module)
    if loaded := {"torch", "transformers", "peft"} & set(sys.modules):
        sys.exit(f"{module} loads {loaded}")
"""


def test_no_model_library_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *LIGHT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_supervisor_and_the_settings_load_no_part_of_a_process() -> None:
    script = """
import sys
import amrg.service.settings
print(*sorted(m for m in sys.modules if m.startswith("amrg.birads") or m in ("pydicom", "fhir", "sqlalchemy")))
import amrg.service.serve
print(*sorted({"pynetdicom", "pydicom", "fhir", "scipy", "fastapi"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
