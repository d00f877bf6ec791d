"""The control groups that this process is in: a container's, a service's, a job's, each with limits of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

OWN = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


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
