"""The memory that this process may use: this machine's, or the least that its control groups allow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from amrg.core.cores import own_groups, read_limit


def available_memory() -> int:
    """Bytes of memory that this machine, or its container, may use; not what is free of it now."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, granted_memory(own_groups("memory")) or total)


def granted_memory(groups: Iterable[Path]) -> int | None:
    """Bytes of the least limit of some control groups, of version 2 or 1; None where none of them has one."""
    texts = [read_limit(group / "memory.max") or read_limit(group / "memory.limit_in_bytes") for group in groups]
    return min((int(text) for text in texts if text.isdecimal()), default=None)
