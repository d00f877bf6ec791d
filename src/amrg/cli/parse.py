"""`amrg parse`: the facts of a written report."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from amrg.cli.console import ResultTable, fail, out, print_json, say
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson
from amrg.core.plurals import counted


def parse_file(
    file: Annotated[Path, typer.Argument(help="Text file with one report; - reads standard input.")],
    as_json: AsJson = False,
) -> None:
    """Parse a narrative report: findings, categories, composition, each with the text it came from.

    Categories that are not the assessment (earlier, conditional, denied, superseded, of a printed legend, an ultrasound
    or MRI) are listed apart. A text without words, or in another language than English, is not read: exit code 3.
    """
    from amrg.birads import check, parse

    text = _text(file)
    if not text.strip():
        fail(Exit.UNREADABLE, f"{_name(file)}: no text in it; expected a report")
    parsed = parse(text)
    if parsed.refusal is not None:
        fail(Exit.UNREADABLE, f"{_name(file)}: {parsed.refusal}; expected a report in English")
    violations = check(parsed.report)
    if as_json:
        print_json(
            {
                "report": parsed.report.model_dump(mode="json"),
                "facts": [asdict(fact) for fact in parsed.facts],
                "other_categories": [asdict(other) for other in parsed.other_categories],
                "marker_placement": None if parsed.marker_placement is None else asdict(parsed.marker_placement),
                "notes": [asdict(note) for note in parsed.notes],
                "unread": [asdict(span) for span in parsed.unread],
                "violations": [asdict(v) for v in violations],
            }
        )
        return
    table = ResultTable("fact", "value", "text", title=counted(len(parsed.facts), "fact"))
    for fact in parsed.facts:
        table.add_row(fact.path, str(fact.value), fact.span.text)
    out.print(table)
    for other in parsed.other_categories:
        say(f"not the assessment: {other.standing} {other.category} ({other.span.text!r})")
    if parsed.marker_placement is not None:
        say(f"assessment without a category: {parsed.marker_placement.text!r}")
    for note in parsed.notes:
        say(f"note: {note.message} ({note.span.text!r})")
    for span in parsed.unread:
        say(f"not read: {span.text!r}")
    for violation in violations:
        say(f"{violation.rule}: {violation.message}")


def _name(file: Path) -> str:
    return "standard input" if str(file) == "-" else file.name


def _text(file: Path) -> str:
    """The report's text, UTF-8 or UTF-16 by its mark, or, where it is neither, Latin-1 as old systems write."""
    if str(file) == "-":
        return sys.stdin.read()
    try:
        raw = file.read_bytes()
    except OSError as error:
        fail(
            Exit.UNREADABLE,
            f"{file.name}: cannot be read ({error.strerror}); expected a text file, or - for standard input",
        )
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    if b"\x00" in raw:
        fail(Exit.UNREADABLE, f"{file.name}: contains NUL bytes; expected a report as plain text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
