"""How many cores this process may use: its affinity and the quotas of its control groups, not what the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from amrg.core.cgroups import own_groups, read_limit


def available_cores() -> int:
    """Cores that this process may keep busy, 1 or more."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return min(affinity, granted_cores(own_groups("cpu")) or affinity)


def granted_cores(groups: Iterable[Path]) -> int | None:
    """Whole cores of the least quota of some control groups, of version 2 or 1; None where none of them has one."""
    texts = [
        read_limit(group / "cpu.max") or read_limit(group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us")
        for group in groups
    ]
    return min((cores for text in texts if (cores := quota_cores(text)) is not None), default=None)


def quota_cores(text: str) -> int | None:
    """Whole cores of a cgroup's `quota period` in microseconds; None where it says `max`, -1 or nothing readable."""
    parts = text.split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or int(parts[1]) == 0:
        return None
    return max(1, int(parts[0]) // int(parts[1]))
