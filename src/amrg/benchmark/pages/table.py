"""Scores of runs as one table for a paper: a system a row, a metric a what, values with intervals and n."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from amrg.benchmark.scoring.compare import select_metrics
from amrg.metrics.display import MINUS, counted, with_interval
from amrg.metrics.scores import MetricScore, Role, Scores, SystemScores
from amrg.metrics.strict import EVERY_CASE, STRICT, figures


class Format(StrEnum):
    """How a table is written."""

    MARKDOWN = "markdown"
    LATEX = "latex"


class TableValue(StrEnum):
    """What a cell has of a metric: its value, or its skill over the best blind baseline."""

    VALUE = "value"
    SKILL = "skill"


@dataclass(frozen=True)
class Table:
    """Cells as text, not escaped; `notes` go below the table."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def build_table(
    runs: Sequence[Scores],
    metrics: Sequence[str] = (),
    what: TableValue = TableValue.VALUE,
    baselines: bool = True,
) -> Table:
    """The systems of some runs; baselines are those of the first run on each part of a data set.

    `metrics` are names, or `all`; without any, the main metrics.

    Raises:
        BenchmarkError: a metric that no run has.
    """
    available = list(dict.fromkeys(name for run in runs for name in run.systems[run.system].metrics))
    systems = list(_systems(runs, baselines))
    names = figures(select_metrics(metrics, available), *(scores.metrics for _, _, scores in systems))
    data = _data_names(runs)
    several = len(data) > 1
    rows = [
        (
            system,
            *((data[run.data.hash],) if several else ()),
            f"{scores.n - scores.failed} of {scores.n}" if scores.failed else str(scores.n),
            *_cells(scores, names, what),
        )
        for run, system, scores in systems
    ]
    header = ("system", *(("data",) if several else ()), "n", *names)
    return Table(header, tuple(rows), tuple(_notes(runs, names, what, several)))


def _systems(runs: Sequence[Scores], baselines: bool) -> Iterator[tuple[Scores, str, SystemScores]]:
    """Baselines of each part of a data set once, blind ones first, then the runs' own systems."""
    hashes: set[str] = set()
    for run in runs:
        if baselines and run.data.hash not in hashes:
            hashes.add(run.data.hash)
            for role in (Role.BLIND, Role.RETRIEVAL, Role.ORACLE):
                yield from ((run, _titled(name, role), s) for name, s in run.systems.items() if s.role is role)
    yield from ((run, run.system, run.systems[run.system]) for run in runs)


def _titled(name: str, role: Role) -> str:
    return name if name == role else f"{name} ({role})"


def _cells(scores: SystemScores, names: Sequence[str], what: TableValue) -> tuple[str, ...]:
    expected = (scores.n - scores.failed, scores.n)
    return tuple(_cell(scores.metrics.get(name), expected, what) for name in names)


def _cell(score: MetricScore | None, expected: tuple[int, int], what: TableValue) -> str:
    """Value or skill with its interval, and n where it is neither the cases with a draft nor all cases."""
    of = score if what is TableValue.VALUE else score and score.skill
    if score is None or of is None or of.value is None:
        return "no value"
    return with_interval(of) + ("" if score.n in expected else f" (n {score.n})")


def _data_names(runs: Sequence[Scores]) -> dict[str, str]:
    """What each run's data is called in a table, by hash; with its number of cases where two are called the same."""
    by_hash = {run.data.hash: run for run in runs}
    names = Counter(_data(run) for run in by_hash.values())
    return {
        key: f"{_data(run)}, {counted(run.data.n, 'case')}" if names[_data(run)] > 1 else _data(run)
        for key, run in by_hash.items()
    }


def _data(run: Scores) -> str:
    return " ".join(filter(None, (run.data.name, run.data.split, run.data.part)))


def _notes(runs: Sequence[Scores], names: Sequence[str], what: TableValue, several: bool) -> Iterator[str]:
    """What the reader of a table must know: the data, n, intervals, which direction is better."""
    if not several:
        data = runs[0].data
        counts = f"{counted(data.n, 'case')} in {counted(data.groups, 'group')}"
        yield f"{_data(runs[0])}: {counts}, sha256 {data.hash[:16]}"
    else:
        yield "rows are on different cases: do not compare across data"
    yield "n: cases with a draft; in brackets after a value, n where a metric scores fewer cases"
    yield "in square brackets, 95 % intervals over whole groups: by bootstrap, or exact where all groups are the same"
    if any(name.endswith(STRICT) for name in names):
        yield EVERY_CASE
    if what is TableValue.SKILL:
        yield "skill: (value - blind) / (perfect - blind), blind is the best blind baseline: 0 no better, 1 perfect"
    scored = [run.systems[run.system].metrics for run in runs]
    lower = [n for n in names if any(n in m and not m[n].higher_is_better for m in scored)]
    if lower and what is TableValue.VALUE:
        yield f"lower is better: {', '.join(lower)}"
    for run in runs:
        if run.data.trained_on:
            yield f"{run.system}: scored on training cases"


def markdown(table: Table) -> str:
    """A GitHub table with its notes as a list."""
    lines = [table.header, ("---", *("---:" for _ in table.header[1:])), *table.rows]
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*rows, "", *(f"- {note}" for note in table.notes)]) + "\n"


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # after a line end it would open an argument
        MINUS: "$-$",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    }
)


def latex(table: Table) -> str:
    """A `tabular` with booktabs rules; notes as comments above it."""
    rows = [" & ".join(map(escaped, row)) + r" \\" for row in (table.header, *table.rows)]
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            *(f"% {note}" for note in table.notes),
            rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
            r"\toprule",
            rows[0],
            r"\midrule",
            *rows[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Text with LaTeX's own signs table harmless."""
    return text.translate(_LATEX)


WRITERS = {Format.MARKDOWN: markdown, Format.LATEX: latex}
