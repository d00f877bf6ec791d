"""`amrg train`: fine-tune a base with LoRA on a data set's split, and leave the best adapter in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.console import (
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

if TYPE_CHECKING:
    from amrg.training.data.prepared import Prepared
    from amrg.training.outputs.artifacts import Training
    from amrg.training.recipe import Recipe

CACHE = Path("runs") / "features"
INTERRUPTED = 130  # as shells have it
_NAMED = 5  # cases that are left out


def train(
    data: Annotated[Path | None, typer.Option(help="Data set folder, as `amrg data import` writes it.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the data set, by name; its test part is not read.")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder of the run, where the adapter is left.")] = None,
    base: Annotated[str | None, typer.Option(help="Folder or hub name of the model to tune; the embedded one.")] = None,
    given: Annotated[
        Path | None, typer.Option("--recipe", help="Recipe in JSON; what it leaves out is default.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A field of the recipe, as lora.rank=8; can be given again.")
    ] = None,
    target_text: Annotated[
        str | None,
        typer.Option(help="Text to train on: published, or a report style: clinical, dmid, impression-first."),
    ] = None,
    cache: Annotated[Path, typer.Option(help="Where what is computed once before training is kept.")] = CACHE,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was broken off in --out.")] = False,
    print_recipe: Annotated[
        bool, typer.Option("--print-recipe", help="Print the recipe with all that was set, and leave.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fine-tune a base with LoRA; the best adapter by the validation part is left in the folder.

    Several devices: `accelerate launch -m amrg.cli train ...`, with `--use_fsdp` to shard the base; on CPUs torchrun.
    """
    with busy("loading"), refusing():
        quieten()
        from amrg.training.overriding import override, read_recipe
        from amrg.training.recipe import Recipe

        named = [
            f"{name}={value}" for name, value in (("base", base), ("target_text", target_text)) if value is not None
        ]
        recipe = override(read_recipe(given) if given else Recipe(), [*named, *(changes or ())])
    if print_recipe:
        print_json(recipe.model_dump(mode="json"))
        return
    if data is None or split is None or folder is None:
        fail(Exit.USAGE, "--data, --split and --out are wanted; only --print-recipe goes without them")
    with refusing(), writing(folder):
        _refuse_unasked(folder, recipe, resume)
        try:
            _run(data, split, folder, recipe, cache)
        except KeyboardInterrupt:
            complain(f"{folder}: stopped by hand; go on from its last checkpoint with --resume")
            raise typer.Exit(INTERRUPTED) from None
        from amrg.training.outputs.artifacts import read_training

        _report(read_training(folder), recipe.validation.cases, folder, as_json)


@contextmanager
def refusing() -> Iterator[None]:
    """Leaves with one line where a run cannot begin or go on, and where it was stopped by hand."""
    from amrg.datasets import DatasetError
    from amrg.models import ModelError
    from amrg.training.errors import TuningError
    from amrg.training.overriding import RecipeError

    try:
        yield
    except RecipeError as error:
        fail(Exit.USAGE, str(error))
    except TuningError as error:
        fail(Exit.TUNING, str(error))
    except ModelError as error:
        fail(Exit.NO_MODEL, str(error))
    except DatasetError as error:
        fail(Exit.UNREADABLE, str(error))


def _refuse_unasked(folder: Path, recipe: Recipe, resume: bool) -> None:
    """Before anything is loaded: what lies in the folder, whether it is to be gone on with, and can be written to."""
    from amrg.training.outputs.run_folder import RunStatus, refuse_another_recipe, run_status

    refuse_another_recipe(folder, recipe)
    if run_status(folder) is RunStatus.UNFINISHED and not resume:
        fail(Exit.USAGE, f"{folder}: holds an unfinished run of this recipe: add --resume, or name another folder")
    if run_status(folder) is not RunStatus.FINISHED:
        refuse_unwritable(folder)


def _run(data: Path, split: str, folder: Path, recipe: Recipe, cache: Path) -> None:
    """Prepare and tune; several processes prepare one after another, and the first alone speaks."""
    with busy("loading the base"):
        from amrg.training.data.prepared import Source, prepare
        from amrg.training.loop.distributed import processes
        from amrg.training.loop.tuning import tune
        from amrg.training.outputs.terminal import Terminal

        state = processes()
    err.quiet = not state.is_main_process
    _show(recipe)
    with bars() as progress, writing(cache), state.main_process_first():
        prepared = prepare(recipe, Source(data, split), cache, progress)
    _count(prepared)
    with Terminal(err, recipe.validation.metric) as terminal:
        tune(prepared, recipe, folder, terminal)
    if state.num_processes > 1:
        state.destroy_process_group()


def _show(recipe: Recipe) -> None:
    """The recipe resolved, a field a line."""
    from amrg.core.values import flatten

    for name, value in flatten(recipe.model_dump(mode="json")):
        err.print(f"{name} = {json.dumps(value, ensure_ascii=False)}", markup=False, soft_wrap=True)


def _count(prepared: Prepared) -> None:
    """How many cases there are, and the first of those that are left out, each with the reason."""
    counts, left_out = prepared.data, prepared.left_out
    err.print(f"{counts.n_train} cases to learn, {counts.n_validation} to watch; {len(left_out)} left out")
    for key, why in left_out[:_NAMED]:
        err.print(f"left out: {key}: {why}", markup=False, soft_wrap=True)
    if len(left_out) > _NAMED:
        err.print(f"and {len(left_out) - _NAMED} more: training.json and summary.html will name all")


def _report(training: Training, most: int, folder: Path, as_json: bool) -> None:
    """What came of it, from the first process alone; at most so many validation cases were watched."""
    if err.quiet:
        return
    if as_json:
        print_json({"folder": str(folder), **training.model_dump(mode="json")})
        return
    watched = min(most, training.data.n_validation)
    out.print(
        f"{training.metric.value} {training.best:.4f} on {watched} validation cases after step "
        f"{training.best_step} of {training.steps} ({training.stopped}); {training.trainable:,} parameters trained in "
        f"{training.seconds:.0f} s"
    )
    out.print(f"adapter and summary.html in {folder}")
    out.print(f"draft with it: amrg report STUDY --model {folder}; score it: amrg benchmark run --model {folder} ...")
