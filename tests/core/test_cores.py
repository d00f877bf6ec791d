"""Cores of this process: its affinity and its container's quota."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from amrg.core.cores import available_cores, quota_cores


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("-1 100000", None),
        ("", None),
        ("100000 0", None),
    ],
)
def test_a_quota_in_whole_cores(text: str, cores: int | None) -> None:
    assert quota_cores(text) == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_process_held_to_one_core_has_one() -> None:
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from amrg.core.cores import available_cores; print(available_cores())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
