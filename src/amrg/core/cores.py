"""How many cores this process may use: its affinity and its container's quota, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP_2 = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_1 = (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))


def available_cores() -> int:
    """Cores that this process may keep busy, 1 or more."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(affinity, quota_cores(_quota_text()) or affinity))


def quota_cores(text: str) -> int | None:
    """Whole cores of a cgroup's `quota period` in microseconds; None where it says `max`, -1 or nothing readable."""
    parts = text.split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or int(parts[1]) == 0:
        return None
    return max(1, int(parts[0]) // int(parts[1]))


def _quota_text() -> str:
    """What the container's cgroup grants, of version 2 or 1; empty where there is none."""
    try:
        if _CGROUP_2.is_file():
            return _CGROUP_2.read_text(encoding="ascii")
        return " ".join(file.read_text(encoding="ascii").strip() for file in _CGROUP_1)
    except (OSError, UnicodeDecodeError):
        return ""
