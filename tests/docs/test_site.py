"""The documentation site: every page has its place, and, where mkdocs is installed, it is built without a warning."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT

DOCS = ROOT / "docs"


def places(nav: list[Any]) -> Iterator[str]:
    """The pages of a navigation, in order."""
    for entry in nav:
        below = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from places(below) if isinstance(below, list) else [below]


def test_every_page_has_one_place() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    nav, others = site["nav"], [DOCS / line.strip("/") for line in site["not_in_nav"].split()]
    assert [next(iter(section)) for section in nav] == ["Start", "Radiologist", "Engineer", "Researcher"]
    pages = [p for p in DOCS.rglob("*.md") if not {p, p.parent} & set(others)]
    there = sorted(p.relative_to(DOCS).as_posix() for p in pages)
    assert sorted(places(nav)) == there, "name a new page in mkdocs.yml, under the reader that it is for"


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is not installed: pip install 'amrg[docs]'")
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "commands.html").is_file()
