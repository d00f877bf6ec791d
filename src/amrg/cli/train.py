"""`amrg train`: fine-tune a base with LoRA on a split of a data set, and write the best adapter to a folder."""

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
    from amrg.training.data.prepared import PreparedData
    from amrg.training.outputs.artifacts import TrainingRecord
    from amrg.training.recipe import Recipe

CACHE = Path("runs") / "features"
INTERRUPTED = 130  # the shells' exit code
_MAX_NAMED = 5  # skipped cases


def train(
    data: Annotated[Path | None, typer.Option(help="Data set folder, as `amrg data import` writes it.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Name of a split of the data set; its test part is not read.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the run, for the adapter and all outputs.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Folder or hub name of the base model (default: the embedded model).")
    ] = None,
    recipe_file: Annotated[
        Path | None, typer.Option("--recipe", help="Recipe in JSON; omitted fields have their defaults.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A field of the recipe, such as lora.rank=8; may be repeated.")
    ] = None,
    target_text: Annotated[
        str | None,
        typer.Option(help="Text to train on: published, or a report style: clinical, dmid, impression-first."),
    ] = None,
    cache: Annotated[Path, typer.Option(help="Cache folder for prompts and image features.")] = CACHE,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the interrupted run in --out.")] = False,
    print_recipe: Annotated[bool, typer.Option("--print-recipe", help="Print the resolved recipe and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fine-tune a base with LoRA; the folder gets the adapter that is best on the validation part.

    Several devices: `accelerate launch -m amrg.cli train ...`, with `--use_fsdp` to shard the base; on CPUs torchrun.
    """
    with busy("loading"), refusing():
        quieten()
        from amrg.training.overriding import override, read_recipe
        from amrg.training.recipe import Recipe

        named = [
            f"{name}={value}" for name, value in (("base", base), ("target_text", target_text)) if value is not None
        ]
        recipe = override(read_recipe(recipe_file) if recipe_file else Recipe(), [*named, *(changes or ())])
    if print_recipe:
        print_json(recipe.model_dump(mode="json"))
        return
    if data is None or split is None or folder is None:
        fail(Exit.USAGE, "--data, --split and --out are required (except with --print-recipe)")
    with refusing(), writing(folder):
        _refuse_folder(folder, recipe, resume)
        try:
            _run(data, split, folder, recipe, cache)
        except KeyboardInterrupt:
            complain(f"{folder}: interrupted; resume from its last checkpoint with --resume")
            raise typer.Exit(INTERRUPTED) from None
        from amrg.training.outputs.artifacts import read_training

        _print_result(read_training(folder), folder, as_json)


@contextmanager
def refusing() -> Iterator[None]:
    """Exit with one line if a run cannot start or resume."""
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


def _refuse_folder(folder: Path, recipe: Recipe, resume: bool) -> None:
    """Before anything is loaded: refuse a different run, an interrupted one without --resume, an unwritable folder."""
    from amrg.training.outputs.run_folder import RunStatus, refuse_different_recipe, run_status

    refuse_different_recipe(folder, recipe)
    if run_status(folder) is RunStatus.INTERRUPTED and not resume:
        fail(Exit.USAGE, f"{folder}: contains an interrupted run of this recipe; add --resume, or use another folder")
    if run_status(folder) is not RunStatus.FINISHED:
        refuse_unwritable(folder)


def _run(data: Path, split: str, folder: Path, recipe: Recipe, cache: Path) -> None:
    """Prepare and train; several processes prepare one after another, and only the first prints."""
    with busy("loading the base"):
        from amrg.training.data.prepared import DataSource, prepare
        from amrg.training.loop.distributed import processes
        from amrg.training.loop.tuning import tune
        from amrg.training.outputs.terminal import TerminalProgress

        state = processes()
    err.quiet = not state.is_main_process
    _print_recipe(recipe)
    with bars() as progress, writing(cache), state.main_process_first():
        prepared = prepare(recipe, DataSource(data, split), cache, progress)
    _print_cases(prepared)
    with TerminalProgress(err, recipe.validation.metric) as terminal:
        tune(prepared, recipe, folder, terminal)
    if state.num_processes > 1:
        state.destroy_process_group()


def _print_recipe(recipe: Recipe) -> None:
    """The resolved recipe, one field per line."""
    from amrg.core.values import flatten

    for name, value in flatten(recipe.model_dump(mode="json")):
        err.print(f"{name} = {json.dumps(value, ensure_ascii=False)}", markup=False, soft_wrap=True)


def _print_cases(prepared: PreparedData) -> None:
    """The number of cases, and the first skipped ones with the reason."""
    counts, skipped = prepared.data, prepared.skipped
    err.print(f"{counts.n_train} training cases, {counts.n_validation} validation cases; {len(skipped)} skipped")
    for key, why in skipped[:_MAX_NAMED]:
        err.print(f"skipped: {key}: {why}", markup=False, soft_wrap=True)
    if len(skipped) > _MAX_NAMED:
        err.print(f"and {len(skipped) - _MAX_NAMED} more: training.json and summary.html list all")


def _print_result(training: TrainingRecord, folder: Path, as_json: bool) -> None:
    """The result, printed by the first process only."""
    if err.quiet:
        return
    if as_json:
        print_json({"folder": str(folder), **training.model_dump(mode="json")})
        return
    out.print(
        f"{training.metric.value} {training.best:.4f} on {training.n} validation cases after step "
        f"{training.best_step} of {training.steps} ({training.stopped}); {training.trainable:,} parameters trained in "
        f"{training.seconds:.0f} s"
    )
    out.print(f"adapter and summary.html in {folder}")
    out.print(f"draft: amrg report STUDY --model {folder}; score: amrg benchmark run --model {folder} ...")
