"""How many cores this process may use: its affinity and the quotas of its control groups, not what the machine has.

Control groups are a container's, a service's, a job's, one within another, each with limits of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

OWN = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


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


def own_groups(controller: str, own: Path = OWN, mount: Path = MOUNT) -> Iterator[Path]:
    """Folders of this process's groups, of version 2 and of a controller of version 1, each before those around it.

    Some may not exist: a container may state its path on the host, where only the container's own group is mounted.
    """
    for line in (read_limit(own) or f"0::/\n1:{controller}:/").splitlines():
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not controllers:
            root = mount
        elif controller in controllers.split(","):
            root = mount / controller
        else:
            continue
        inner = root / path.lstrip("/")
        yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(root))


def read_limit(*files: Path) -> str:
    """The texts of a group's files, parted by a space; empty where one of them cannot be read."""
    try:
        return " ".join(file.read_text(encoding="utf-8").strip() for file in files)
    except (OSError, UnicodeDecodeError):
        return ""
