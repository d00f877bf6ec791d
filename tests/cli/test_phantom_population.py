"""`amrg phantom --population`: another site under its name, and an unknown one refused."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from amrg.cli import Exit, app


def test_a_population_is_drawn_by_its_name(tmp_path: Path) -> None:
    order = ["phantom", str(tmp_path / "set"), "--size", "small", "--population", "shifted", "--json"]
    done = CliRunner().invoke(app, order)
    assert done.exit_code == Exit.OK, done.output
    assert json.loads(done.stdout)["population"] == "shifted"
    case = json.loads((tmp_path / "set" / "cases.jsonl").read_text(encoding="utf-8"))
    assert case["population"].startswith("shifted-")


def test_an_unknown_population_is_refused_in_a_line(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["phantom", str(tmp_path / "set"), "--population", "nobody"])
    assert refused.exit_code == Exit.USAGE
    assert "--population is 'nobody'; expected one of screening, rich, shifted" in " ".join(refused.stderr.split())
    assert not (tmp_path / "set").exists()
