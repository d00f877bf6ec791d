"""`amrg reproduce`: published experiments, from the data as published to a table with their numbers and ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.console import ResultTable, bars, busy, complain, fail, out, print_json, quieten, refuse_unwritable
from amrg.cli.exits import Exit
from amrg.cli.models.sweep import ALPHAS, RANKS, SweepProgress, parse_sweep, resolve_recipe, resumable, split_list
from amrg.cli.models.train import refusing
from amrg.cli.options import Alphas, AsJson, Changes, Prune, Ranks, RecipeFile, RetryTrials, Seeds

if TYPE_CHECKING:
    from amrg.experiments.reproduction.page import Reproduction

app = typer.Typer(help="Repeat published experiments, and compare with their published results.", no_args_is_help=True)
THREE = "google/medgemma-4b-it,Qwen/Qwen2.5-VL-3B-Instruct,microsoft/Phi-3.5-vision-instruct"
"""AMRG's backbones. It names no size of Qwen2.5-VL: the 3B is nearest to the two others, of about 4B each."""

SPLITS = "image-407-51-52,clean"
"""AMRG's split as reported second-hand, which leaks; and one that does not leak."""


@app.command("amrg")
def amrg(
    dmid: Annotated[Path, typer.Argument(metavar="DMID_FOLDER", help="DMID's folder, as published.")],
    folder: Annotated[Path, typer.Option("--out", help="Output folder; an interrupted experiment is resumed.")],
    backbones: Annotated[str, typer.Option(help="Folders or hub names, or NAME=FOLDER, separated by commas.")] = THREE,
    splits: Annotated[
        str, typer.Option(help="Splits by name: image-407-51-52 as reported, clean without leaks, last-52.")
    ] = SPLITS,
    ranks: Ranks = RANKS,
    alphas: Alphas = ALPHAS,
    seeds: Seeds = "0",
    recipe: RecipeFile = None,
    changes: Changes = None,
    prune: Prune = True,
    perturbed: Annotated[int, typer.Option(min=0, help="Number of test cases also drafted on perturbed images.")] = 100,
    retry: RetryTrials = False,
    as_json: AsJson = False,
) -> None:
    """AMRG (arXiv 2508.09225): import DMID, split, sweep three backbones, test the best of each once.

    By default 15 trials a backbone and split: 90 fine-tuning runs. Finished stages are skipped.
    """
    refuse_unwritable(folder)
    with busy("loading"), refusing():
        quieten()
        from amrg.experiments.reproduction.reproduce import RECIPE, Experiment, reproduce

        grid = {"backbones": backbones, "ranks": ranks, "alphas": alphas, "seeds": seeds}
        sweep = parse_sweep(grid, resolve_recipe(recipe, changes, {}, RECIPE), prune)
        names = tuple(split_list(splits))
        if not names:
            fail(Exit.USAGE, f"--splits: found {splits!r}, expected names with commas between, such as {SPLITS}")
        experiment = Experiment(dmid, folder, sweep, names, perturbed, retry)
    with resumable(folder), bars() as progress:
        reproduction = reproduce(experiment, SweepProgress(progress))
    _report(reproduction, folder, as_json)


def _report(reproduction: Reproduction, folder: Path, as_json: bool) -> None:
    """The main metrics of each test result, or everything as JSON; what was not tested as a line on stderr."""
    for missing in reproduction.untested:
        complain(f"note: no configuration finished, so not tested: {missing}")
    if as_json:
        print_json({"out": str(folder), **reproduction.model_dump(mode="json")})
        return
    from amrg.experiments.reproduction.page import main_cells

    table = ResultTable("best by validation", "split", "ROUGE-L", "BI-RADS accuracy", title="on the test part")
    for cells in main_cells(reproduction):
        table.add_row(*cells)
    out.print(table)
    out.print(f"compared with the published results in {folder / 'reproduced.html'}", markup=False)
