"""Every command that a page shows exists, and its options and values are ones that it takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from amrg.cli import app
from amrg.cli.groups import EXAMPLES
from tests.docs import notebooks
from tests.docs.notebooks import NOTEBOOKS
from tests.docs.pages import PAGES, ROOT, blocks

SHELL = {"", "console", "sh", "bash", "shell"}
ROOT_COMMAND: Any = typer.main.get_command(app)


def lines_of(text: str) -> Iterator[str]:
    """The `amrg` lines of a shell block: without prompt, path, comment and what comes after a pipe, `||` or `&&`."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"\s(?:\|\|?|&&)\s", line):
            found = re.match(r"\s*(?:\$ )?(?:\S*/)?(?:\$\(BIN\)/)?(amrg (?!:).*)", part)
            if found:
                yield re.sub(r"\s+(?:#|>|2>).*", "", found[1]).rstrip(" &")


def shown() -> Iterator[tuple[str, str]]:
    """Every whole command, with where it is shown: fenced blocks of pages, the help's examples, the Makefile."""
    for page in PAGES:
        for block in blocks(page):
            if block.language in SHELL:
                yield from ((block.where, line) for line in lines_of(block.text))
    for notebook in NOTEBOOKS:
        yield from ((notebook.name, line) for line in notebooks.commands(notebook))
    for name, examples in EXAMPLES.items():
        yield from ((f"help of {name}", line) for example in examples for line in lines_of(example))
    yield from (("Makefile", line) for line in lines_of(makefile()))


def makefile() -> str:
    """The Makefile with its variables filled in."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\t", "")
    variables = dict(re.findall(r"^(\w+) (?:\?=|:=|=) (.*)$", text, re.MULTILINE))
    while found := re.search(rf"\$\(({'|'.join(variables)})\)", text):
        text = text.replace(found[0], variables[found[1]])
    return text


def mentioned() -> Iterator[tuple[str, str]]:
    """What pages name in running text: `amrg report --style`; often without its arguments."""
    for page in PAGES:
        prose = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`(amrg [a-z-][^`]*)`", prose):
            yield str(page.relative_to(ROOT)), " ".join(code.split())


def problem(line: str, whole: bool = True) -> str | None:
    """What is wrong with a command, None where nothing is; `whole`: its arguments are there too."""
    command, context, words = ROOT_COMMAND, None, shlex.split(line)[1:]
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        name, *words = words
        if name not in command.commands:
            return f"no command {name!r}"
        command = command.commands[name]
    if isinstance(command, TyperGroup) or not whole:
        options = {o for p in command.get_params(typer.Context(command)) for o in (*p.opts, *p.secondary_opts)}
        given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        return f"no option {', '.join(given - options)}" if given - options else None
    try:
        context = command.make_context(command.name, list(words))
    except Exception as error:  # typer's own classes, as it names them
        return f"{type(error).__name__}: {error}"
    return next(wrong_values(command, context), None)


def wrong_values(command: Any, context: Any) -> Iterator[str]:
    """Values that the shell's completion does not offer, of options that take only those that it offers."""
    for parameter in command.get_params(context):
        value = context.params.get(parameter.name)
        if (
            parameter.name in ("model", "base", "split", "engine")
            or value is None
            or parameter._custom_shell_complete is None
        ):
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            offered = [item.value for item in parameter.shell_complete(context, "")]
            if wrong := set(str(one).split(",") if one not in offered else []) - set(offered) - {""}:
                yield f"{parameter.opts[0]} takes {', '.join(offered)}, not {', '.join(wrong)}"


def test_every_command_shown_is_one_that_there_is() -> None:
    commands = list(shown())
    assert len(commands) > 90
    assert [f"{where}: {line}: {why}" for where, line in commands if (why := problem(line))] == []


def test_every_command_mentioned_is_one_that_there_is() -> None:
    commands = list(mentioned())
    assert len(commands) > 100
    assert [f"{where}: {line}: {why}" for where, line in commands if (why := problem(line, whole=False))] == []


def test_what_needs_no_data_set_and_no_model_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As shown; the Python page and the notebook run what needs data."""
    cheap = re.compile(r"amrg (data list|model list.*|model card|train --print-recipe|parse report.txt)")
    lines = sorted({line for _, line in (*shown(), *mentioned()) if cheap.fullmatch(line)})
    assert len(lines) == 6, lines
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.txt").write_text("Mass in the right breast. BI-RADS 4.", encoding="utf-8")
    done = {line: CliRunner().invoke(app, shlex.split(line)[1:]).exit_code for line in lines}
    assert {line: code for line, code in done.items() if code != 0} == {}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("amrg draft PATH", "no command 'draft'"),
        ("amrg benchmark sore x", "no command 'sore'"),
        ("amrg report PATH --stile dmid", "No such option: --stile"),
        ("amrg report PATH --style poem", "--style takes clinical"),
        ("amrg report PATH --format text,doc", "--format takes text, json, png, not doc"),
        ("amrg phantom", "Missing parameter"),
        ("amrg phantom OUT --count none", "valid integer"),
    ],
)
def test_a_wrong_command_is_found(line: str, why: str) -> None:
    assert why.lower() in str(problem(line)).lower()
