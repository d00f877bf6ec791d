"""A file that cannot be read or written is one line that names it, and says which of the two."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import typer

from amrg.cli.console import writing
from amrg.cli.exits import Exit

FOLDER = Path("runs") / "one"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Exit.UNWRITABLE, "runs/one: cannot be written (No space"),
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
