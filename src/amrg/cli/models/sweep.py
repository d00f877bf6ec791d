"""`amrg sweep`: LoRA ranks, scalings, backbones and seeds on one split, scored on its validation part, with a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amrg.cli.benchmark import exit_on_benchmark_error
from amrg.cli.completion import stored_splits
from amrg.cli.console import (
    ResultTable,
    bars,
    busy,
    complain,
    err,
    fail,
    out,
    print_json,
    quieten,
    refuse_unwritable,
    writing,
)
from amrg.cli.exits import Exit
from amrg.cli.models.train import refusing
from amrg.cli.options import (
    Alphas,
    AsJson,
    Changes,
    DataFolder,
    Prune,
    Ranks,
    RayAddress,
    RecipeFile,
    RetryTrials,
    Seeds,
)

if TYPE_CHECKING:
    from amrg.experiments.sweep.config import SweepConfig
    from amrg.experiments.sweep.definition import Sweep
    from amrg.experiments.sweep.scores import SweepScores
    from amrg.experiments.sweep.trials import Trial
    from amrg.training.callbacks import StepStats
    from amrg.training.recipe import Recipe

RANKS, ALPHAS = "4,8,16,32,64", "1x,2x,4x"

_OF_GRID = {"base": "--backbones", "lora.rank": "--ranks", "lora.alpha": "--alphas", "seed": "--seeds"}
"""Fields of a recipe of which every trial has its own, and the option that sets each."""
_SEARCHED = {
    name: f"--range {name.removeprefix('lora.')}=A,B"
    for name in ("learning_rate", "lora.dropout", "lora.use_dora", "lora.use_rslora")
}
"""The same of a search."""


def sweep(
    data: DataFolder,
    split: Annotated[
        str,
        typer.Option(help="Split of the data set, by name; its test part is not read.", autocompletion=stored_splits),
    ],
    folder: Annotated[Path, typer.Option("--out", help="Folder of the sweep; an interrupted sweep is resumed.")],
    backbones: Annotated[
        str | None,
        typer.Option(help="Folders or hub names, or NAME=FOLDER, with commas between. Default: the recipe's base."),
    ] = None,
    ranks: Ranks = RANKS,
    alphas: Alphas = ALPHAS,
    seeds: Seeds = "0,1,2",
    recipe: RecipeFile = None,
    changes: Changes = None,
    search: Annotated[
        int | None, typer.Option(min=1, help="Search by TPE with so many trials a backbone, instead of the full grid.")
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", help="Range of a search: learning_rate=5e-5,1e-3, dropout, use_dora, use_rslora."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="postgresql://USER@HOST/DATABASE, to share among machines. Default: a file in --out."),
    ] = None,
    prune: Prune = True,
    retry: RetryTrials = False,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Sweep LoRA ranks and scalings; several processes with the same --out share the trials."""
    refuse_unwritable(folder)
    with busy("loading"), refusing():
        quieten()
        from amrg.experiments.sweep.config import SweepConfig
        from amrg.experiments.sweep.run import sweep_and_score
        from amrg.training.data.prepared import DataSource

        if ranges and search is None:
            fail(Exit.USAGE, "--range is for a search: add --search N")
        search_fields = None if search is None else {"trials": search, **dict(map(_range, ranges or ()))}
        swept = _SEARCHED if search is not None else {}
        resolved = resolve_recipe(recipe, changes, swept)
        grid = {"backbones": backbones or resolved.base, "ranks": ranks, "alphas": alphas, "seeds": seeds}
        config = SweepConfig(
            parse_sweep(grid, resolved, prune, search_fields),
            DataSource(data, split),
            folder,
            storage,
            retry,
        )
    with resumable(folder), bars() as progress:
        if ray is not None:
            config = _run_on_ray(config, ray, progress)
        scores = sweep_and_score(config, SweepProgress(progress))
    report(scores, folder, as_json)


def _run_on_ray(config: SweepConfig, address: str, progress: Callable[[str, int, int], None]) -> SweepConfig:
    """Run the trials on a Ray cluster; returns what remains to do here, which is to score them."""
    from amrg.core.ray_cluster import RayPlan
    from amrg.experiments.sweep.on_ray import run_trials_on_ray

    run_trials_on_ray(config, RayPlan(address), progress)
    return replace(config, retry=False)


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Exit with one line where a long command cannot continue or is interrupted; the same command resumes it."""
    try:
        with refusing(), exit_on_benchmark_error(), writing(folder):
            yield
    except KeyboardInterrupt:
        complain(f"{folder}: interrupted; run the same command again to resume")
        raise typer.Exit(Exit.INTERRUPTED) from None


def resolve_recipe(
    given: Path | None, changes: Sequence[str] | None, searched: Mapping[str, str], default: Recipe | None = None
) -> Recipe:
    """The recipe of a file, else the default one, with single fields overridden; none that every trial has its own of.

    `searched` are such fields next to those of the grid, with the option that sets each.
    """
    from amrg.training.overriding import override, read_recipe
    from amrg.training.recipe import Recipe

    for name in (change.partition("=")[0].strip() for change in changes or ()):
        if (option := {**_OF_GRID, **searched}.get(name)) is not None:
            fail(Exit.USAGE, f"--set {name}: every trial has its own; set it by {option}")
    return override(read_recipe(given) if given else default or Recipe(), changes or ())


def parse_sweep(grid: dict[str, str], recipe: Recipe, prune: bool, search: dict[str, Any] | None = None) -> Sweep:
    """The sweep of a command line."""
    from amrg.experiments.sweep.definition import Alpha, SweepBase, make_sweep

    return make_sweep(
        bases=tuple(map(SweepBase.parse, split_list(grid["backbones"]))),
        ranks=tuple(_number("--ranks", text) for text in split_list(grid["ranks"])),
        alphas=tuple(map(Alpha.parse, split_list(grid["alphas"]))),
        seeds=tuple(_number("--seeds", text) for text in split_list(grid["seeds"])),
        recipe=recipe,
        prune=prune,
        search=search,
    )


def split_list(text: str) -> list[str]:
    """The items of a list separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(option: str, text: str) -> int:
    if not text.isdecimal():
        fail(Exit.USAGE, f"{option}: found {text!r}, expected whole numbers separated by commas")
    return int(text)


def _range(text: str) -> tuple[str, list[str]]:
    """`NAME=A,B`."""
    name, _, values = text.partition("=")
    names = ("learning_rate", "dropout", "use_dora", "use_rslora")
    if name not in names or not split_list(values):
        fail(Exit.USAGE, f"--range {text}: expected NAME=VALUE,VALUE with a name of {', '.join(names)}")
    return name, split_list(values)


class SweepProgress:
    """Reports a sweep on stderr: a bar for what is being done, a line a trial."""

    def __init__(self, progress: Callable[[str, int, int], None]) -> None:
        self.progress = progress

    def started(self, trial: Trial) -> TrialBar:
        """A bar for the trial."""
        return TrialBar(self.progress, _name(trial))

    def ended(self, trial: Trial) -> None:
        """The trial's result, in one line."""
        value = "" if trial.best is None else f", {trial.best:.4f} at step {trial.best_step} in {trial.seconds:.0f} s"
        why = f": {trial.reason}" if trial.reason else ""
        err.print(f"{_name(trial)}: {trial.status.value}{value}{why}", markup=False, soft_wrap=True)


class TrialBar:
    """The progress bar of one trial."""

    def __init__(self, progress: Callable[[str, int, int], None], name: str) -> None:
        self._progress, self._name = progress, name

    def on_step(self, stats: StepStats) -> None:
        """A step further."""
        self._progress(self._name, stats.step, stats.total_steps)

    def on_validation(self, step: int, value: float) -> bool:
        """Never stops a run: the sweep does."""
        return False


def _name(trial: Trial) -> str:
    return f"{trial.base} {trial.point.label if trial.point else trial.number}"


def report(scores: SweepScores, folder: Path, as_json: bool) -> None:
    """Warnings on stderr; the table, or everything as JSON."""
    for warning in scores.warnings:
        complain(f"note: {warning}")
    if as_json:
        print_json({"out": str(folder), **scores.model_dump(mode="json", exclude={"baselines"})})
        return
    from amrg.experiments.sweep.table import COLUMNS, build_sweep_table, selection_heading, split_cell

    table = build_sweep_table(scores)
    names = ("backbone", "rank", "alpha", selection_heading(scores.selection), "difference from best", "status")
    columns = [
        i for i, name in enumerate(table.header) if name in names or name.startswith(COLUMNS["birads_accuracy_7_worst"])
    ]
    printed = ResultTable(*(table.header[i] for i in columns), title=f"best: {scores.best or 'none yet'}")
    for row in table.rows:
        printed.add_row(*("\n".join(split_cell(row[i])) for i in columns))
    out.print(printed)
    out.print("selected on the validation part alone; the test part was not opened", style="dim")
    out.print(f"every metric with its interval in {folder / 'sweep.html'} and {folder / 'table.md'}", markup=False)
