"""`amrg parse`: the facts of a written report."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from amrg.cli.console import fail, out, print_json
from amrg.cli.exits import Exit


def parse_file(
    file: Annotated[Path, typer.Argument(help="Text file with one report; - reads standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Parse a narrative report: findings, categories, composition, each with the text it came from."""
    from amrg.birads import check, parse

    parsed = parse(_text(file))
    violations = check(parsed.report)
    if as_json:
        print_json(
            {
                "report": parsed.report.model_dump(mode="json"),
                "facts": [asdict(fact) for fact in parsed.facts],
                "unread": [asdict(span) for span in parsed.unread],
                "violations": [asdict(v) for v in violations],
            }
        )
        return
    table = Table("fact", "value", "text", title=f"{len(parsed.facts)} facts")
    for fact in parsed.facts:
        table.add_row(fact.path, str(fact.value), fact.span.text)
    out.print(table)
    for span in parsed.unread:
        out.print(f"not read: {span.text!r}", markup=False)
    for violation in violations:
        out.print(f"{violation.rule}: {violation.message}", markup=False)


def _text(file: Path) -> str:
    """The report's text, UTF-8 or, where it is not, Latin-1 as old systems write."""
    if str(file) == "-":
        return sys.stdin.read()
    try:
        raw = file.read_bytes()
    except OSError as error:
        fail(
            Exit.UNREADABLE,
            f"{file.name}: cannot be read ({error.strerror}); expected a text file, or - for standard input",
        )
    if b"\x00" in raw:
        fail(Exit.UNREADABLE, f"{file.name}: contains NUL bytes; expected a report as plain text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
