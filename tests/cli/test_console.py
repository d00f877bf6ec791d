"""What commands print: one line for a file that cannot be read or written, tables that cut nothing, whole paths."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console

from amrg.cli.console import ResultTable, writing
from amrg.cli.exits import Exit

FOLDER = Path("runs") / "one"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Exit.UNWRITABLE, "MiB are free there: free disk space"),
        (
            PermissionError(errno.EACCES, "Permission denied", str(FOLDER / "log.csv")),
            Exit.UNWRITABLE,
            "runs/one/log.csv: cannot be written (Permission denied)",
        ),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", str(FOLDER.parent)),
            Exit.UNWRITABLE,
            "runs: cannot be written",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "data/dataset.json"),
            Exit.UNREADABLE,
            "data/dataset.json: cannot be read (Permission denied)",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/tmp/beside"),
            Exit.UNWRITABLE,
            "/tmp/beside: cannot be written (No space left on device)",
        ),
        (OSError("from a library"), Exit.UNWRITABLE, "runs/one: cannot be written (from a library)"),
    ],
    ids=["nothing named", "in the folder", "above the folder", "elsewhere", "no room elsewhere", "no number"],
)
def test_what_could_not_be_read_or_written_is_named(
    error: OSError, code: Exit, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as left, writing(FOLDER):
        raise error
    assert left.value.exit_code == code
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


NAME, INTERVAL = "HuggingFaceTB/a-name", "0.569 [0.512, 0.630]"
PROSE = "a note of many words " * 4


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_a_table_cuts_no_name_and_breaks_no_interval(width: int) -> None:
    table = ResultTable("name", "value, 95 % interval", "n", "", title="results")
    table.add_row(NAME, INTERVAL, "80", PROSE)
    screen = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    screen.print(table)
    printed = screen.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in printed.splitlines())
    for word in PROSE.split():
        assert word in printed
    for cell in (NAME, INTERVAL):
        assert cell in printed
    assert ("┃" in printed) is (width >= 80)


def test_nothing_is_wrapped_where_there_is_no_terminal() -> None:
    long = "x" * 300 + "/" + "words in a path " * 30 + "x"
    script = (
        "import sys; from amrg.cli.console import ResultTable, note, out, say; table = ResultTable('a', 'b'); "
        "table.add_row(sys.argv[1], 'c'); out.print(table); out.print(sys.argv[1]); say(sys.argv[1]); note(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, long],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert [long in line for line in done.stdout.splitlines()].count(True) == 3
    assert done.stderr == long + "\n"
