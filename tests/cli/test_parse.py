"""`amrg parse` on texts that are none, not English, or exported from other systems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amrg.cli import app
from amrg.cli.exits import Exit


def run(path: Path, *options: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["parse", str(path), *options])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "r.txt: no text in it"),
        (" \n\t", "r.txt: no text in it"),
        ("BI-RADS 4 links, kein Herdbefund rechts.", "r.txt: not English (German): not read"),
    ],
)
def test_what_is_not_read_has_a_line_and_a_code(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.txt").write_text(text, encoding="utf-8")
    code, output, error = run(tmp_path / "r.txt")
    assert code == Exit.UNREADABLE
    assert message in " ".join(error.split())
    assert not output


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_categories_that_do_not_hold_are_listed_apart(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "r.txt").write_bytes("Previously BI\u2013RADS 4B. BI\u2013RADS 2.".encode(encoding))
    document = json.loads(run(tmp_path / "r.txt", "--json")[1])
    assert [a["category"] for a in document["report"]["assessments"]] == ["2"]
    (other,) = document["other_categories"]
    assert (other["standing"], other["category"], other["span"]["text"]) == ("prior", "4B", "4B")
    assert document["marker_placement"] is None
    assert "not the assessment: prior 4B" in run(tmp_path / "r.txt")[1]
