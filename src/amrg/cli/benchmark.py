"""`amrg benchmark`: predictions of any system scored, runs compared, tables for papers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from amrg.cli.completion import EXPORT_FORMS, PARTS, SPLIT_RULES, TABLE_FORMATS, stored_splits
from amrg.cli.console import ResultTable, busy, complain, fail, out, print_json, say, writing
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson, LabelTexts, MeteorJar, RadEval, Seed
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.benchmark.scoring.compare import MetricComparison
    from amrg.metrics.scores import Scores

app = typer.Typer(
    help="Benchmark that shows whether the images were read: score predictions, compare systems, write tables.",
    no_args_is_help=True,
)

Metrics = Annotated[
    list[str] | None, typer.Option("--metric", help="A metric by name, or all; repeatable. Default: the main metrics.")
]
TrainedOnNames = Annotated[
    list[str] | None,
    typer.Option(
        "--trained-on", help="A data set that the system was trained on, or a collection such as MammoVQA; repeatable."
    ),
]
Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")]


@app.command()
def score(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="JSON lines or CSV with id and text, a folder of text files, RadEval's lists, or a run folder."
        ),
    ],
    references: Annotated[Path, typer.Option(help="The same formats, or a data set folder (with --split and --part).")],
    folder: Annotated[Path, typer.Option("--out", help="Folder of the run: scores, page, baselines.")],
    split: Annotated[
        str | None, typer.Option(help="Split of the data set, by name.", autocompletion=stored_splits)
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="train, validation or test, of a split. Default: test.", autocompletion=PARTS)
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the system. Default: the name of its file.")] = None,
    label_texts: LabelTexts = False,
    meteor_jar: MeteorJar = False,
    radeval: RadEval = None,
    radeval_values: Annotated[
        Path | None,
        typer.Option(help="Also RadEval's own values: what RadEval(..., per_sample=True) returned, as JSON."),
    ] = None,
    trained_on: TrainedOnNames = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score any system's predictions and blind baselines: intervals, skill, subgroups, a page."""
    with busy("reading"):
        from amrg.benchmark.references import read_references
        from amrg.benchmark.scoring.measure import OptionalMetrics
        from amrg.benchmark.scoring.overlap import named_provenance
        from amrg.benchmark.scoring.score_run import (
            load_submission,
            options_before,
            score_submission,
            system_name,
        )
        from amrg.benchmark.scoring.scoring import ScoringOptions
        from amrg.datasets.names import nearest_name

        extras = OptionalMetrics(label_texts, meteor_jar, tuple(radeval or ()))
        if part is not None and split is None:
            fail(Exit.USAGE, f"--part {part} is of a split; name it with --split")
        if "" in map(str.strip, trained_on or ()):
            fail(Exit.USAGE, "--trained-on is empty; expected the name of a data set")
        for given in trained_on or ():
            if near := nearest_name(given):
                complain(f"note: --trained-on {given}: amrg knows no such data set; did you mean {near}?")
        with exit_on_benchmark_error():
            provenance = named_provenance(trained_on or ())
            options = ScoringOptions(
                name or system_name(predictions),
                seed,
                extras=extras,
                provenance=provenance,
                radeval_values=radeval_values,
            )
            submission = load_submission(predictions, read_references(references, split, part or "test", seed))
            before = options_before(folder, options.used) if folder.resolve() == predictions.resolve() else []
        if before:
            complain(f"note: it was scored with {', '.join(before)} before; give them again for the same numbers")
    with busy(f"scoring {len(submission.outputs.predictions)} cases"), exit_on_benchmark_error(), writing(folder):
        scores = score_submission(submission, folder, options)
    write_run_page(folder, references)
    report_scores(scores, folder, as_json)
    exit_on_overlap(scores)


@app.command("export")
def export_run(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a scored run.")],
    form: Annotated[
        str,
        typer.Option(
            "--to", help="parquet (for datasets), jsonl, or radeval (lists of texts).", autocompletion=EXPORT_FORMS
        ),
    ],
    path: Annotated[Path, typer.Option("--out", help="The file to write.")],
    label_texts: LabelTexts = False,
    as_json: AsJson = False,
) -> None:
    """Write a run for other tools: a row a case with reference, prediction and scores, or RadEval's lists."""
    with busy("reading"), exit_on_benchmark_error():
        from amrg.benchmark.exports.files import FORMS, write_export
        from amrg.benchmark.exports.rows import ExportedRun
        from amrg.benchmark.layout import is_run_file

        if form not in FORMS:
            fail(Exit.USAGE, f"--to is {form!r}; expected one of {', '.join(FORMS)}")
        if is_run_file(folder, path):
            fail(Exit.USAGE, f"--out {path} is a file of the run itself; name another")
        run = ExportedRun(folder)
    with busy("writing"), writing(path.parent), exit_on_benchmark_error():
        count = write_export(run, form, path, label_texts)
    if as_json:
        print_json({"out": str(path), "format": form, "rows": count})
        return
    say(f"{counted(count, 'case')} in {path}")
    if count < len(run.cases):
        complain(
            f"note: {len(run.cases) - count} of {counted(len(run.cases), 'case')} are not in it: without a prediction, "
            "or with a reference rendered from labels"
        )


@app.command()
def compare(
    runs: Runs,
    metrics: Metrics = None,
    label_texts: LabelTexts = False,
    meteor_jar: MeteorJar = False,
    radeval: RadEval = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare runs with the first, on the same cases: differences, intervals, p corrected after Holm."""
    with busy("comparing"), exit_on_benchmark_error():
        from amrg.benchmark.scoring.compare import compare as compare_runs
        from amrg.benchmark.scoring.compare import read_runs
        from amrg.benchmark.scoring.measure import OptionalMetrics
        from amrg.metrics.statistics import FEW_GROUPS

        extras = OptionalMetrics(label_texts, meteor_jar, tuple(radeval or ()))
        comparisons = compare_runs(read_runs(runs), metrics or (), seed, extras)
    if few := [c.metric for c in comparisons if c.groups < FEW_GROUPS]:
        names = ", ".join(dict.fromkeys(few))
        complain(f"note: fewer than {FEW_GROUPS} groups of cases, over which intervals are too narrow: {names}")
    if as_json:
        print_json([c.model_dump(mode="json") for c in comparisons])
    else:
        _print(comparisons)


@app.command()
def table(
    runs: Runs,
    written: Annotated[
        str, typer.Option("--format", help="markdown or latex.", autocompletion=TABLE_FORMATS)
    ] = "markdown",
    metrics: Metrics = None,
    skill: Annotated[
        bool, typer.Option("--skill", help="Skill over the best blind baseline instead of values.")
    ] = False,
    baselines: Annotated[bool, typer.Option(help="Include the baselines of the first run.")] = True,
) -> None:
    """Write the scores of runs as a table, with intervals and n."""
    with exit_on_benchmark_error():
        from amrg.benchmark.pages.table import WRITERS, Format, TableValue
        from amrg.benchmark.pages.table import build_table as made
        from amrg.benchmark.scoring.read_run import distinct_names, read_scores

        if written not in tuple(Format):
            fail(Exit.USAGE, f"--format is {written!r}; expected {' or '.join(Format)}")
        cells = TableValue.SKILL if skill else TableValue.VALUE
        found = [read_scores(run) for run in runs]
        names = distinct_names(runs, [scores.system for scores in found])
        named = [scores.named(name) for scores, name in zip(found, names, strict=True)]
        document = made(named, metrics or (), cells, baselines)
    typer.echo(WRITERS[Format(written)](document), nl=False)


@app.command()
def blind(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="Data set folder, as `amrg data import` writes it.")],
    splits: Annotated[
        list[str] | None, typer.Option("--split", help="Rule of a split; repeatable.", autocompletion=SPLIT_RULES)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, for a split that takes one.")] = 20,
    meteor_jar: MeteorJar = False,
) -> None:
    """Score the blind baselines of a data set, before any model is trained: a Markdown table."""
    with busy("making splits and scoring baselines"), exit_on_benchmark_error():
        from amrg.benchmark.scoring.blind import as_markdown, blind_scores
        from amrg.benchmark.scoring.measure import OptionalMetrics
        from amrg.datasets import open_dataset

        extras, dataset, found = OptionalMetrics(meteor_jar=meteor_jar), open_dataset(data), []
        for split in splits or ["clean"]:
            found.append(blind_scores(dataset, split, range(seeds), extras))
    for line in as_markdown(found):
        typer.echo(line)


@contextmanager
def exit_on_benchmark_error() -> Iterator[None]:
    """Exit with one line where a user's file cannot be scored or compared."""
    from amrg.datasets import DatasetError
    from amrg.metrics.errors import BenchmarkError

    try:
        yield
    except (BenchmarkError, DatasetError) as error:
        fail(Exit.UNREADABLE, str(error))


def write_run_page(folder: Path, data: Path | None = None) -> None:
    """Write the page of a scored run, with images where `data` is the folder of its data set."""
    with busy("writing the page"), exit_on_benchmark_error(), writing(folder):
        from amrg.benchmark.pages.case_image import dataset_images
        from amrg.benchmark.pages.run_page import write_run_page as write

        write(folder, dataset_images(data))


def exit_on_overlap(scores: Scores) -> None:
    """End as a leaking split does where scored cases are, or may be, among those that the model was trained on."""
    if scores.trained_on is not None and scores.trained_on.overlaps:
        raise typer.Exit(Exit.LEAK)


def report_scores(scores: Scores, folder: Path, as_json: bool) -> None:
    """Warnings, a line each on stderr; the main metrics of the system, or everything as JSON."""
    for warning in scores.warnings:
        complain(f"note: {warning}")
    system = scores.systems[scores.system]
    if as_json:
        document = {"out": str(folder), "system": scores.system, "data": scores.data.model_dump(mode="json")}
        print_json({**document, "warnings": list(scores.warnings), **system.model_dump(mode="json")})
        return
    from amrg.metrics.display import counted
    from amrg.metrics.strict import EVERY_CASE, STRICT

    title = f"{scores.system}: {counted(system.n, 'case')}, {system.failed} failed"
    table = ResultTable("metric", "value", "n", "best blind", "skill", title=escape(title))
    rows = list(score_rows(scores))
    for row in rows:
        table.add_row(*row)
    out.print(table)
    out.print("in brackets, 95 % intervals over groups; skill: 0 is the best blind baseline, 1 is perfect", style="dim")
    if any(row[0].endswith(STRICT) for row in rows):
        out.print(EVERY_CASE, style="dim", markup=False)
    out.print(f"written to {folder}", style="dim", markup=False)


def score_rows(scores: Scores) -> Iterator[tuple[str, str, str, str, str]]:
    """The main metrics of the system under test, each after its twin over every case where the two differ.

    Intervals are on a line of their own, so that no number is broken on a narrow terminal.
    """
    from amrg.metrics.display import number, stacked
    from amrg.metrics.families import main_metrics
    from amrg.metrics.strict import figures

    metrics = scores.systems[scores.system].metrics
    for name in figures(main_metrics(metrics), metrics):
        metric, blind, skill = metrics[name], "", ""
        if metric.skill is not None:
            best = metric.skill.blind
            blind = f"{number(scores.systems[best].metrics[name].value)}\n{best}"
            skill = stacked(metric.skill)
        yield name, stacked(metric), str(metric.n), blind, skill


def _print(comparisons: list[MetricComparison]) -> None:
    """A table of differences for each pair of systems."""
    from amrg.metrics.display import counted, number, p_value, stacked
    from amrg.metrics.strict import EVERY_CASE, STRICT

    for second in dict.fromkeys(c.second for c in comparisons):
        rows = [c for c in comparisons if c.second == second]
        table = ResultTable("metric", "n", rows[0].first, second, "difference", "p, p (Holm)")
        for c in rows:
            both = f"{p_value(c.p)}\n{p_value(c.p_holm)}"
            table.add_row(
                c.metric, str(c.n), number(c.first_value), number(c.second_value), stacked(c, signed=True), both
            )
        out.print(table)
    if any(c.metric.endswith(STRICT) for c in comparisons):
        out.print(EVERY_CASE, style="dim", markup=False)
    tests = sum(c.p is not None for c in comparisons)
    corrected = f"Holm's correction over {counted(tests, 'test')}"
    out.print(f"p by approximate randomisation of whole groups; {corrected}", style="dim")
