"""The package's layout: files a folder, and imports between folders.

Run as `python scripts/layout.py [SOURCE]` from the root of a checkout (`make layout`). An import of a folder's own
public names counts as one of that folder; imports inside a folder are not listed.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "amrg"


def folder_of(file: Path, root: Path) -> str:
    """The folder of a file as it is imported: `benchmark.run`; `.` for the package's own."""
    return ".".join(file.parent.relative_to(root).parts) or "."


def imported_folders(file: Path, root: Path) -> Iterator[str]:
    """The folder behind every import of the package's own modules in a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            target = root.joinpath(*node.module.split(".")[1:])
            yield folder_of(target / "__init__.py" if (target / "__init__.py").is_file() else target, root)


def main() -> None:
    """Print the layout of the checkout, or of the package's source named on the command line."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "src") / PACKAGE
    files = sorted(root.rglob("*.py"))
    sizes = Counter(folder_of(f, root) for f in files if f.name != "__init__.py")
    arrows: Counter[tuple[str, str]] = Counter()
    for file in files:
        here = folder_of(file, root)
        arrows.update((here, there) for there in imported_folders(file, root) if there != here)
    lines = Counter(dict.fromkeys(sizes, 0))
    for file in files:
        lines[folder_of(file, root)] += len(file.read_text(encoding="utf-8").splitlines())
    width = max(map(len, sizes))
    print(f"{'folder':{width}}  files  lines  imports of other folders")
    for folder in sorted(sizes):
        out = ", ".join(f"{there} {n}" for (here, there), n in sorted(arrows.items()) if here == folder)
        print(f"{folder:{width}}  {sizes[folder]:5}  {lines[folder]:5}  {out}")
    both = sorted({tuple(sorted(pair)) for pair in arrows if pair[::-1] in arrows})
    print(f"{sum(sizes.values())} files in {len(sizes)} folders, the largest {max(sizes.values())}")
    print(f"{len(arrows)} pairs of folders with imports; both ways: {', '.join('-'.join(p) for p in both) or 'none'}")


if __name__ == "__main__":
    main()
