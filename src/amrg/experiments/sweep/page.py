"""`sweep.html` and `table.md`: a scored sweep as a page that opens offline, and as a table. Same scores, same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from amrg.benchmark.pages.charts import Chart
from amrg.benchmark.pages.html import as_text, jinja_environment
from amrg.benchmark.pages.plots import Heat, heat_map
from amrg.benchmark.pages.table import markdown
from amrg.benchmark.pages.verdict import Support, better_than_blind
from amrg.core.files import write_text
from amrg.core.values import flatten
from amrg.experiments.sweep.scores import Configuration, SweepScores
from amrg.experiments.sweep.table import (
    COST,
    KEYS,
    build_sweep_table,
    columns,
    is_distinguishable,
    selection_heading,
    selection_name,
    split_cell,
)
from amrg.experiments.sweep.trials import TrialStatus
from amrg.metrics.display import counted, number, with_interval
from amrg.metrics.statistics import FEW_GROUPS

PAGE, TABLE = "sweep.html", "table.md"
_AGAINST = {
    Support.YES: "better than",
    Support.NO: "worse than",
    Support.NONE: "not distinguishable from",
    None: "without an interval, not compared with",
}


def write_sweep_page(folder: Path, scores: SweepScores) -> Path:
    """Write the page and the table of a scored sweep into its folder; returns the page's path.

    Raises:
        OSError: they cannot be written.
    """
    environment = jinja_environment()
    environment.filters["split_lines"] = split_lines
    write_text(folder / TABLE, [markdown(build_sweep_table(scores)).rstrip("\n")])
    write_text(folder / PAGE, [environment.get_template("sweep.html").render(_context(scores)).strip("\n")])
    return folder / PAGE


def split_lines(cell: str) -> Markup:
    """A cell with what follows its value (interval, seeds, p) on lines of their own."""
    value, *rest = split_cell(cell)
    return Markup(escape(value)) + Markup("").join(
        Markup('<span class="interval">{}</span>').format(part) for part in rest
    )


def _context(scores: SweepScores) -> dict[str, Any]:
    """The variables of the template."""
    table, selection = build_sweep_table(scores), selection_heading(scores.selection)
    ended = [t for c in scores.configurations for t in c.trials if t.status in (TrialStatus.FAILED, TrialStatus.PRUNED)]
    return {
        "scores": scores,
        "bases": scores.definition.sweep.bases,
        "seeds": scores.definition.sweep.seeds,
        "warnings": (*scores.warnings, *_unfinished(scores)),
        "selection": selection_name(scores.selection),
        "headline": _headline(scores),
        "sentences": tuple(_sentences(scores)),
        "heats": tuple(_heats(scores)),
        "table": table,
        "selection_column": table.header.index(selection),
        "result_columns": [i for i, name in enumerate(table.header) if name not in COST],
        "cost_columns": [i for i, name in enumerate(table.header) if name in (*KEYS, *COST)],
        "baselines": scores.baselines,
        "columns": {scores.selection: selection_name(scores.selection), **columns(scores)},
        "ended": [*ended, *(t for t in scores.waiting if t.status is TrialStatus.FAILED)],
        "definition": {name: as_text(value) for name, value in flatten(scores.definition.model_dump(mode="json"))},
    }


def _unfinished(scores: SweepScores) -> Iterator[str]:
    """A warning where trials are not finished."""
    open_ = [
        t for c in scores.configurations for t in c.trials if t.status in (TrialStatus.WAITING, TrialStatus.RUNNING)
    ]
    left = len(open_) + len(scores.waiting)
    if left:
        yield f"not finished: {counted(left, 'trial')} running or waiting; this page has the results so far"


def _headline(scores: SweepScores) -> str:
    """The best configuration in one line, or that there is none."""
    if scores.best is None:
        return "None yet: no configuration has finished with all its seeds."
    best = scores.configuration(scores.best)
    others = [c for c in scores.configurations if c.from_best is not None]
    same = sum(not is_distinguishable(c) for c in others)
    tail = f"; {same} of {counted(len(others), 'other')} are not distinguishable from it" if others else ""
    return f"{best.label}: {_selected(scores, best)} on {counted(scores.data.n, 'validation case')}{tail}."


def _selected(scores: SweepScores, of: Configuration) -> str:
    name = selection_name(scores.selection)
    return f"{name} {with_interval(of.metrics[scores.selection])}"


def _sentences(scores: SweepScores) -> Iterator[str]:
    """What the headline rests on."""
    yield (
        "Selected on the validation part only; the test part was not opened. The best was selected on these same "
        "cases, so its value here is optimistic: score it on the test part once, with amrg benchmark run."
    )
    for base, label in scores.best_of.items():
        if len(scores.best_of) > 1:
            yield f"Best of {base}: {label}, {_selected(scores, scores.configuration(label))}."
    distinguishable = [c for c in scores.configurations if is_distinguishable(c)]
    if distinguishable:
        yield f"Distinguishable from the best after Holm's correction: {', '.join(c.label for c in distinguishable)}."
    if scores.best is not None:
        yield from _over_blind(scores, scores.configuration(scores.best))
    failed = sum(c.count(TrialStatus.FAILED) for c in scores.configurations)
    pruned = sum(c.count(TrialStatus.PRUNED) for c in scores.configurations)
    if failed or pruned:
        yield f"{counted(failed, 'trial')} failed and {pruned} pruned; they are listed below and are in no metric."


def _over_blind(scores: SweepScores, best: Configuration) -> Iterator[str]:
    """Whether the best is better than what can be written without an image."""
    score = best.metrics[scores.selection]
    skill = score.skill
    if skill is None or skill.value is None:
        return
    few = f", as fewer than {FEW_GROUPS} groups of cases show nothing" if score.groups < FEW_GROUPS else ""
    blind = number(scores.baselines[skill.blind].metrics[scores.selection].value)
    yield (
        f"Skill of the best {with_interval(skill)}: {_AGAINST[better_than_blind(score)]} the best blind baseline "
        f"({skill.blind}, {blind}){few}."
    )


def _heats(scores: SweepScores) -> Iterator[Chart]:
    """A heat map a backbone, all on one scale; none where nothing finished."""
    means = [v for c in scores.configurations if (v := _mean(scores, c)) is not None]
    times = all(a.times_rank for a in scores.definition.sweep.alphas)
    for base in scores.definition.sweep.bases if means else ():
        mine = [c for c in scores.configurations if c.base == base.name]
        title = f"{base.name}: {selection_name(scores.selection)}"
        name = re.sub(r"[^a-z0-9]+", "-", f"heat {base.name}".lower()).strip("-")
        axes = ("alpha / rank" if times else "alpha", "rank")
        yield Chart(title, heat_map(name, title, _heat(scores, mine, times), (min(means), max(means)), axes))


def _heat(scores: SweepScores, mine: Sequence[Configuration], times: bool) -> Heat:
    """Cells by rank and scaling: the best of those that fall into one, as in a search."""
    placed: dict[tuple[int, float], list[Configuration]] = {}
    for c in mine:
        placed.setdefault((c.point.rank, c.point.alpha / c.point.rank if times else c.point.alpha), []).append(c)
    ranks, alphas = sorted({rank for rank, _ in placed}), sorted({alpha for _, alpha in placed})
    cells = [[placed.get((rank, alpha), []) for alpha in alphas] for rank in ranks]
    return Heat(
        rows=tuple(map(str, ranks)),
        columns=tuple(f"{alpha:g}" for alpha in alphas),
        values=tuple(tuple(_highest(scores, cell) for cell in row) for row in cells),
        labels=tuple(tuple(cell[0].trials[0].status.value if cell else "" for cell in row) for row in cells),
    )


def _highest(scores: SweepScores, cell: Sequence[Configuration]) -> float | None:
    return max((v for c in cell if (v := _mean(scores, c)) is not None), default=None)


def _mean(scores: SweepScores, of: Configuration) -> float | None:
    """The selection metric, over the seeds that finished."""
    return of.spread[scores.selection].value if scores.selection in of.spread else None
