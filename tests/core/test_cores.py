"""Cores and memory of this process: its affinity, and the limits of the control groups that it is in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amrg.core.cores import available_cores, granted_cores, own_groups, quota_cores
from amrg.core.memory import available_memory, granted_memory


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


def tree(folder: Path, own: str, limits: dict[str, str]) -> tuple[Path, Path]:
    """A process's list of groups, and mounted groups with files of limits."""
    (folder / "own").write_text(own, encoding="utf-8")
    for name, text in limits.items():
        file = folder / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder / "own", folder / "mount"


CONTAINER = {"cpu.max": "300000 100000\n", "memory.max": "4000\n"}
SCOPE = {"user.slice/cpu.max": "max 100000\n", "user.slice/run.scope/cpu.max": "200000 100000\n"}
MEMORY = {"user.slice/memory.max": "5000\n", "user.slice/run.scope/memory.max": "max\n"}
VERSION_1 = {"cpu/job/cpu.cfs_quota_us": "400000\n", "cpu/job/cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("own", "limits", "cores", "memory"),
    [
        ("0::/\n", CONTAINER, 3, 4000),
        ("0::/user.slice/run.scope\n", SCOPE | MEMORY, 2, 5000),
        ("0::/user.slice/run.scope\n", SCOPE | MEMORY | CONTAINER, 2, 4000),
        ("0::/other.slice\n", SCOPE | MEMORY, None, None),
        ("0::/kubepods/pod\n", CONTAINER, 3, 4000),  # the path on the host, where only the container is mounted
        ("0::/../../elsewhere\n", CONTAINER, 3, 4000),
        ("5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n", VERSION_1 | {"memory/memory.limit_in_bytes": "6000"}, 4, 6000),
        ("", {}, None, None),
        ("nonsense\n", CONTAINER, None, None),
    ],
)
def test_the_least_limit_of_all_groups_around_a_process_counts(
    own: str, limits: dict[str, str], cores: int | None, memory: int | None, tmp_path: Path
) -> None:
    listed, mount = tree(tmp_path, own, limits)
    assert granted_cores(own_groups("cpu", listed, mount)) == cores
    assert granted_memory(own_groups("memory", listed, mount)) == memory


def test_memory_is_at_most_the_machine_s() -> None:
    assert 0 < available_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_process_held_to_one_core_has_one() -> None:
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from amrg.core.cores import available_cores; print(available_cores())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
