"""Notebooks as pages: their cells, and how they are run without Jupyter."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from amrg.cli import app
from tests.docs.pages import ROOT

NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


def cells(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The cells of a kind, in order."""
    document = json.loads(path.read_text(encoding="utf-8"))
    yield from (cell for cell in document["cells"] if cell["cell_type"] == kind)


def commands(path: Path) -> Iterator[str]:
    """The `amrg` commands of a notebook's code."""
    for cell in cells(path, "code"):
        yield from (line.strip().removeprefix("!") for line in cell["source"] if line.startswith("!amrg "))


def run(path: Path) -> None:
    """Run all code cells in one namespace; lines `!amrg ...` are run as commands, and must succeed."""
    namespace: dict[str, object] = {}
    for number, cell in enumerate(cells(path, "code")):
        if all(line.startswith("!amrg ") for line in cell["source"]):
            for line in cell["source"]:
                done = CliRunner().invoke(app, shlex.split(line)[1:])
                assert done.exit_code == 0, f"{path.name}: {line}: {done.output}"
        else:
            exec(compile("".join(cell["source"]), f"{path.name} code {number}", "exec"), namespace)
