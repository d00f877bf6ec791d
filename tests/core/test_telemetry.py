"""Nothing is written or sent for the makers of libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amrg.core.telemetry import SWITCHES, turn_off_telemetry

LOADS_A_GRAPH = """
from amrg.generation.engines.graph import load_graph_engine
load_graph_engine()
"""


def test_a_loaded_graph_leaves_no_identifier_in_the_home_folder(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES and not name.startswith("XDG_")}
    command = [sys.executable, "-c", LOADS_A_GRAPH]
    subprocess.run(command, check=True, env={**kept, "HOME": str(tmp_path)})
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == []


def test_what_the_environment_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    turn_off_telemetry()
    assert {name: os.environ[name] for name in SWITCHES} == {**SWITCHES, "RAY_USAGE_STATS_ENABLED": "1"}
