"""docs/python.md: its blocks run in order and print what the page says. The names of `amrg`, and what they load."""

from __future__ import annotations

import ast
import contextlib
import io
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

import amrg
from amrg.cli import app
from amrg.datasets import open_dataset
from tests.docs.pages import ROOT, blocks
from tests.training.exams import drawn, split_as

pytestmark = pytest.mark.usefixtures("no_page_charts")

PAGE = ROOT / "docs" / "python.md"
STUB = ROOT / "src" / "amrg" / "__init__.pyi"


@pytest.mark.usefixtures("no_charts")
def test_the_page_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = open_dataset(drawn(tmp_path).data)  # what the page calls data/site, with its split clean
    split_as(site, "clean", (site.keys()[:2], site.keys()[2:4], site.keys()[4:]))
    (tmp_path / "data").rename(tmp_path / "site")
    (tmp_path / "data").mkdir()
    (tmp_path / "site").rename(tmp_path / "data" / "site")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    printed = ""
    compared = 0
    for block in blocks(PAGE):
        if block.language == "console":
            done = CliRunner().invoke(app, shlex.split(block.text)[1:])
            assert done.exit_code == 0, f"{block.where}: {done.output}"
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block.text, block.where, "exec"), namespace)
            printed = out.getvalue()
        else:
            assert printed.rstrip("\n") == block.text, block.where
            compared += 1
    assert compared > 5


def test_every_name_is_in_the_stub_and_on_the_page() -> None:
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    stubbed = {alias.name: node.module for node in imports for alias in node.names}
    assert stubbed == amrg._MODULE_OF  # type: ignore[attr-defined]
    assert sorted(amrg.__all__) == sorted([*stubbed, "__version__"])  # type: ignore[attr-defined]
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in stubbed if f"`{name}`" not in page] == []


def test_every_name_is_what_its_module_has() -> None:
    modules = amrg._MODULE_OF  # type: ignore[attr-defined]
    assert [n for n, module in modules.items() if getattr(amrg, n) is not getattr(import_module(module), n)] == []
    assert set(amrg.__all__) <= set(dir(amrg))  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'drat'"):
        amrg.drat  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("used", "absent"),
    [("amrg", {"numpy", "pydantic", "torch"}), ("amrg.parse, amrg.read, amrg.load_engine", {"torch", "transformers"})],
)
def test_a_name_loads_only_what_it_needs(used: str, absent: set[str]) -> None:
    script = f"import sys, amrg; {used}; sys.exit(' '.join({absent!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
