"""Exit codes: documented, and true of every kind of error; help that a person can copy a line from."""

from __future__ import annotations

import errno
import importlib
import pkgutil
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.core
import typer.main
from typer.testing import CliRunner

import amrg
from amrg.cli import Exit, app
from amrg.cli.exits import EXIT_OF, MEANING, exit_of
from amrg.cli.groups import EXAMPLES
from amrg.core.errors import AmrgError

DOCS = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


def kinds(of: type[AmrgError] = AmrgError) -> Iterator[type[AmrgError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def all_kinds() -> list[type[AmrgError]]:
    """Every class of error that amrg has."""
    for module in pkgutil.walk_packages(amrg.__path__, "amrg."):
        if not module.name.endswith(("__main__", "database.env")):  # the latter is run by Alembic alone
            importlib.import_module(module.name)
    return [kind for kind in kinds() if kind.__module__.startswith("amrg.")]


def test_exit_codes_are_documented() -> None:
    for code in Exit:
        assert f"| {code.value} | {code.name} | {MEANING[code]} |" in DOCS


def test_every_kind_of_error_is_one_line_and_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    found = all_kinds()
    assert {kind.__name__ for kind in found} >= set(EXIT_OF)
    assert [kind.__name__ for kind in found if exit_of(kind) in (Exit.OK, Exit.BUG)] == []
    for kind in found:
        error = AmrgError.__new__(kind)
        error.args = ("a file: found this, expected that",)
        done = raising(error, monkeypatch)
        assert (done.exit_code, done.stderr) == (exit_of(kind), "amrg: a file: found this, expected that\n")
        assert f"`{next(b.__name__ for b in kind.__mro__ if b.__name__ in EXIT_OF)}` {exit_of(kind).value}" in DOCS


def test_a_full_disk_anywhere_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    done = raising(OSError(errno.ENOSPC, "No space left on device", "runs/log.csv"), monkeypatch)
    assert done.exit_code == Exit.UNWRITABLE
    assert done.stderr.startswith("amrg: runs/log.csv: cannot be written (No space left on device); ")
    assert done.stderr.count("\n") == 1


def test_a_bug_is_no_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    done = raising(ValueError("a bug"), monkeypatch)
    assert done.exit_code == Exit.BUG
    assert isinstance(done.exception, ValueError)


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def fail() -> None:
        raise error

    monkeypatch.setattr("amrg.models.list_models", fail)
    return CliRunner().invoke(app, ["model", "list"])


def commands() -> dict[str, typer.core.TyperCommand]:
    """Every command by its full name."""
    root = typer.main.get_command(app)
    found: dict[str, typer.core.TyperCommand] = {}
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {sub}": one for sub, one in inner.items()} if inner else {name: command}
    return found


def test_every_command_has_examples_that_are_right() -> None:
    assert sorted(EXAMPLES) == sorted(commands())
    for name, command in commands().items():
        assert EXAMPLES[name], name
        for example in EXAMPLES[name]:
            words = shlex.split(example.split("|")[-1])
            assert words[: 1 + len(name.split())] == ["amrg", *name.split()]
            command.make_context(name, words[1 + len(name.split()) :]).close()  # raises where an option is unknown


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_help_ends_with_examples_and_gives_no_type_to_flags(name: str) -> None:
    done = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert done.exit_code == Exit.OK
    assert "bool" not in done.stdout
    for example in EXAMPLES[name]:
        assert example in done.stdout


def test_the_shell_completes_commands_and_values() -> None:
    def completed(line: str) -> list[str]:
        env = {"_AMRG_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return CliRunner().invoke(app, [], env=env, prog_name="amrg").stdout.split()

    assert completed("amrg benchmark c") == ["compare"]
    assert completed("amrg report --sty") == ["--style"]
    assert completed("amrg report --style i") == ["impression-first"]
