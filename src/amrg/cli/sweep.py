"""`amrg sweep`: ranks by scalings by backbones by seeds on one split, scored on its validation part, with a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from amrg.cli.benchmark import refusing as scoring
from amrg.cli.console import bars, busy, complain, err, fail, out, print_json, quieten, refuse_unwritable, writing
from amrg.cli.exits import Exit
from amrg.cli.train import INTERRUPTED, refusing

if TYPE_CHECKING:
    from amrg.experiments.sweep import Sweep
    from amrg.experiments.sweep_scores import SweepScores
    from amrg.experiments.trials import Trial
    from amrg.training.callbacks import StepStats
    from amrg.training.recipe import Recipe

RANKS, ALPHAS = "4,8,16,32,64", "1x,2x,4x"

Backbones = Annotated[str, typer.Option(help="Folders or hub names, or NAME=FOLDER, with commas between.")]
Ranks = Annotated[str, typer.Option(help="LoRA ranks, with commas between.")]
Alphas = Annotated[str, typer.Option(help="Scalings: numbers, or multiples of the rank such as 2x.")]
Seeds = Annotated[str, typer.Option(help="Seeds that every configuration is run with, so that it has a spread.")]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", help="Recipe in JSON; what it leaves out is default.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", help="A field of the recipe, as steps=200; can be given again.")
]
Storage = Annotated[
    str | None, typer.Option(help="postgresql://USER@HOST/DATABASE, where several machines join; a file in --out.")
]
Prune = Annotated[bool, typer.Option("--prune/--no-prune", help="Stop weak trials early.")]


def sweep(
    data: Annotated[Path, typer.Option(help="Data set folder, as `amrg data import` writes it.")],
    split: Annotated[str, typer.Option(help="Split of the data set, by name; its test part is not read.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder of the sweep; one that was broken off goes on.")],
    backbones: Backbones = "amrg-embedded",
    ranks: Ranks = RANKS,
    alphas: Alphas = ALPHAS,
    seeds: Seeds = "0,1,2",
    recipe: RecipeFile = None,
    changes: Changes = None,
    search: Annotated[
        int | None, typer.Option(min=1, help="Search by TPE, so many trials a backbone, not the whole grid.")
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", help="What a search draws: learning_rate=5e-5,1e-3, dropout, use_dora, use_rslora."),
    ] = None,
    storage: Storage = None,
    prune: Prune = True,
    retry: Annotated[bool, typer.Option("--retry-failed", help="Run failed trials again, once.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Sweep LoRA ranks and scalings; several processes with the same --out share the trials."""
    refuse_unwritable(folder)
    with busy("loading"), refusing():
        quieten()
        from amrg.experiments.sweep_running import sweep_and_score
        from amrg.experiments.sweep_worker import SweepConfig
        from amrg.training.data.prepared import Source

        if ranges and search is None:
            fail(Exit.USAGE, "--range is what a search draws: add --search N")
        drawn = None if search is None else {"trials": search, **dict(map(_range, ranges or ()))}
        grid = {"backbones": backbones, "ranks": ranks, "alphas": alphas, "seeds": seeds}
        what = asked(grid, resolved(recipe, changes), prune, drawn)
        order = SweepConfig(what, Source(data, split), folder, storage, retry)
    with going_on(folder), bars() as progress:
        scores = sweep_and_score(order, Told(progress))
    report(scores, folder, as_json)


@contextmanager
def going_on(folder: Path) -> Iterator[None]:
    """Leaves with one line where something long cannot go on, or was stopped by hand; the same command goes on."""
    try:
        with refusing(), scoring(), writing(folder):
            yield
    except KeyboardInterrupt:
        complain(f"{folder}: stopped by hand; the same command goes on where it was")
        raise typer.Exit(INTERRUPTED) from None


def resolved(given: Path | None, changes: Sequence[str] | None, usual: Recipe | None = None) -> Recipe:
    """The recipe of a file, else the usual one, with single fields changed."""
    from amrg.training.overriding import override, read_recipe
    from amrg.training.recipe import Recipe

    return override(read_recipe(given) if given else usual or Recipe(), changes or ())


def asked(grid: dict[str, str], recipe: Recipe, prune: bool, search: dict[str, Any] | None = None) -> Sweep:
    """The sweep of a command line."""
    from amrg.experiments.sweep import Alpha, SweepBase, sweep_of

    return sweep_of(
        bases=tuple(map(SweepBase.parse, parts(grid["backbones"]))),
        ranks=tuple(_number("--ranks", text) for text in parts(grid["ranks"])),
        alphas=tuple(map(Alpha.parse, parts(grid["alphas"]))),
        seeds=tuple(_number("--seeds", text) for text in parts(grid["seeds"])),
        recipe=recipe,
        prune=prune,
        search=search,
    )


def parts(text: str) -> list[str]:
    """What stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(option: str, text: str) -> int:
    if not text.isdecimal():
        fail(Exit.USAGE, f"{option}: found {text!r}, expected whole numbers with commas between")
    return int(text)


def _range(text: str) -> tuple[str, list[str]]:
    """`NAME=A,B`."""
    name, _, values = text.partition("=")
    names = ("learning_rate", "dropout", "use_dora", "use_rslora")
    if name not in names or not parts(values):
        fail(Exit.USAGE, f"--range {text}: expected NAME=VALUE,VALUE with a name of {', '.join(names)}")
    return name, parts(values)


class Told:
    """Tells of a sweep on stderr: a bar for what is being done, a line a trial."""

    def __init__(self, progress: Callable[[str, int, int], None]) -> None:
        self.progress = progress

    def started(self, trial: Trial) -> Watched:
        """A bar for the trial."""
        return Watched(self.progress, _name(trial))

    def ended(self, trial: Trial) -> None:
        """How it came out."""
        value = "" if trial.best is None else f", {trial.best:.4f} at step {trial.best_step} in {trial.seconds:.0f} s"
        why = f": {trial.reason}" if trial.reason else ""
        err.print(f"{_name(trial)}: {trial.state.value}{value}{why}", markup=False, soft_wrap=True)


class Watched:
    """Moves one trial's bar."""

    def __init__(self, progress: Callable[[str, int, int], None], name: str) -> None:
        self._progress, self._name = progress, name

    def step(self, taken: StepStats) -> None:
        """A step further."""
        self._progress(self._name, taken.step, taken.of)

    def validated(self, step: int, value: float) -> bool:
        """Never stops a run: the sweep does."""
        return False


def _name(trial: Trial) -> str:
    return f"{trial.base} {trial.point.label if trial.point else trial.number}"


def report(scores: SweepScores, folder: Path, as_json: bool) -> None:
    """What a reader must know on stderr; the table, or all of it as JSON."""
    for warning in scores.warnings:
        complain(f"note: {warning}")
    if as_json:
        print_json({"out": str(folder), **scores.model_dump(mode="json", exclude={"baselines"})})
        return
    from amrg.experiments.sweep_table import sweep_table, words

    made = sweep_table(scores)
    wanted = ("backbone", "rank", "alpha", words(scores.selection), "BI-RADS accuracy", "from the best", "state")
    columns = [made.header.index(name) for name in wanted if name in made.header]
    shown = Table(*(made.header[i] for i in columns), title=f"best: {scores.best or 'none yet'}")
    for row in made.rows:
        shown.add_row(*(row[i] for i in columns))
    out.print(shown)
    out.print("selected on the validation part alone; the test part was not opened", style="dim")
    out.print(f"every metric with its interval in {folder / 'sweep.html'} and {folder / 'table.md'}", markup=False)
