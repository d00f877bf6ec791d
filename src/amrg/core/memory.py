"""The memory of this machine, or of the container that this process runs in."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/memory.max")  # cgroup v2, at a container's root


def available_memory() -> int:
    """Bytes of memory that this machine, or its container, may use; not what is free of it now."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _CGROUP.read_text().strip() if _CGROUP.is_file() else "max"
    return min(total, int(limit)) if limit.isdigit() else total
