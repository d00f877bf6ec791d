"""`amrg train`: fine-tune a base with LoRA on a split of a data set, and write the best adapter to a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.completion import ANSWERS, TARGET_TEXTS, TRACKERS, models, stored_splits
from amrg.cli.console import (
    bars,
    busy,
    complain,
    err,
    fail,
    out,
    print_json,
    quieten,
    refuse_no_room,
    refuse_unwritable,
    writing,
)
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson, RayAddress, RecipeFile
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.training.data.compute_on_ray import ClusterFeatures
    from amrg.training.data.prepared import PreparedData
    from amrg.training.outputs.artifacts import TrainingRecord
    from amrg.training.recipe import Recipe
    from amrg.training.train_config import TrainConfig

CACHE = Path("runs") / "features"
_MAX_NAMED = 5  # skipped cases
_LEAST_FREE = 100 * 2**20  # bytes, below which not even a small adapter with its checkpoint has room


Run = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="Folder of the run, as with --out; enough with --resume.")
]
Data = Annotated[Path | None, typer.Option(help="Data set folder, as `amrg data import` writes it.")]
Split = Annotated[
    str | None,
    typer.Option(help="Name of a split of the data set; its test part is not read.", autocompletion=stored_splits),
]
OutFolder = Annotated[Path | None, typer.Option("--out", help="Folder of the run, for the adapter and all outputs.")]
Base = Annotated[
    str | None,
    typer.Option(help="Folder or hub name of the base model (default: the embedded model).", autocompletion=models),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="The whole run in YAML: data, split, out, cache, recipe. Options override it."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="A field of the recipe, such as lora.rank=8 or num_train_epochs=3; repeatable."),
]
TargetText = Annotated[
    str | None,
    typer.Option(
        help="Text to train on: published, or a report style: clinical, impression-first, dmid, cesm.",
        autocompletion=TARGET_TEXTS,
    ),
]
TrainedAnswer = Annotated[
    str | None,
    typer.Option(
        help="What to train it to write: findings-first or narrative (default: as the base does).",
        autocompletion=ANSWERS,
    ),
]
Cache = Annotated[
    Path | None, typer.Option(help="Cache folder for prompts and image features (default: runs/features).")
]
ReportTo = Annotated[
    str | None,
    typer.Option(
        help="Trackers next to the run's own logs: any of wandb,mlflow,tensorboard, or none.",
        autocompletion=TRACKERS,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the interrupted run in RUN.")]
PrintRecipe = Annotated[bool, typer.Option("--print-recipe", help="Print the resolved recipe and exit.")]


def train(
    run_folder: Run = None,
    data: Data = None,
    split: Split = None,
    folder: OutFolder = None,
    base: Base = None,
    config_file: ConfigFile = None,
    recipe_file: RecipeFile = None,
    changes: Changes = None,
    target_text: TargetText = None,
    answer: TrainedAnswer = None,
    cache: Cache = None,
    report_to: ReportTo = None,
    ray: RayAddress = None,
    resume: Resume = False,
    print_recipe: PrintRecipe = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a base with LoRA; the folder gets the adapter that is best on the validation part.

    With --ray, image features are computed on the cluster; training itself runs here.

    Several devices: `accelerate launch -m amrg.cli train ...`, with `--use_fsdp` to shard the base; on CPUs torchrun.
    """
    if run_folder is not None and folder not in (None, run_folder):
        fail(Exit.USAGE, f"RUN is {run_folder} and --out is {folder}; expected one folder")
    given = _Given(data, split, folder or run_folder, cache, config_file, recipe_file, resume, report_to, ray)
    named = {"base": base, "target_text": target_text, "answer": answer}
    short = [f"{name}={value}" for name, value in named.items() if value is not None]
    progress = _Progress()
    try:
        with refusing():
            config = _config(given, [*short, *(changes or ())])
            if print_recipe:
                print_json(config.recipe_document)
                return
            _train(given, config, progress)
    except KeyboardInterrupt:
        complain(_interrupted(given, progress))
        raise typer.Exit(Exit.INTERRUPTED) from None
    if err.quiet:  # not the first of several processes
        return
    from amrg.training.outputs.artifacts import read_training

    _print_result(read_training(progress.folder), progress.folder, as_json)


@dataclass(frozen=True)
class _Given:
    """The options that say what is trained, as given."""

    data: Path | None
    split: str | None
    out: Path | None
    cache: Path | None
    config: Path | None
    recipe: Path | None
    resume: bool
    report_to: str | None
    ray: str | None = None

    @property
    def names_a_run(self) -> bool:
        """Whether more than the folder is given."""
        return (self.data, self.split, self.config, self.recipe) != (None, None, None, None)


@dataclass
class _Progress:
    """How far a call came: its folder, and the last step of this process."""

    folder: Path = Path()
    cache: Path = CACHE
    step: int = 0


def _config(given: _Given, changes: list[str]) -> TrainConfig:
    """The run as requested: that of the folder to resume, or of a file, with the options over it."""
    with busy("loading"):
        quieten()
        from amrg.training.documents import read_document
        from amrg.training.tracker_names import refuse_missing_trackers, tracker_names
        from amrg.training.train_config import FILE_NAME, TrainConfig, read_config, recipe_config

    stored = given.out / FILE_NAME if given.resume and given.out is not None else None
    config = TrainConfig()
    if given.config is not None:
        config = read_config(given.config)
    elif stored is not None and stored.is_file():
        config = read_config(stored)
    elif given.resume and given.out is None:
        fail(Exit.USAGE, "RUN: not given; expected the folder of the run to resume")
    elif stored is not None and not given.names_a_run:
        fail(Exit.USAGE, f"{given.out}: no run to resume ({FILE_NAME} is missing); name its --data and --split again")
    if given.recipe is not None:
        recipe = recipe_config(read_document(given.recipe), str(given.recipe))
        config = replace(config, recipe=recipe.recipe, epochs=recipe.epochs)
    trackers = None if given.report_to is None else tracker_names(given.report_to, "--report-to")
    config = config.over(data=given.data, split=given.split, out=given.out, cache=given.cache, report_to=trackers)
    refuse_missing_trackers(config.report_to)
    return config.changed(changes)


def _train(given: _Given, config: TrainConfig, progress: _Progress) -> None:
    """Look at all that is cheap to look at, then prepare and train."""
    data, split, out = config.required()
    progress.folder, progress.cache = out, config.cache or CACHE
    _refuse_full(progress.cache)
    with writing(out):
        config = config.rooted()
        settled = given.resume and not given.names_a_run and config.epochs is None
        if settled and _is_finished(out, config.recipe):
            return
        _refuse_full(out)
        config = _with_steps(config, _training_cases(data, split))
        _refuse_folder(out, config.recipe, given.resume)
        _refuse_base(config.recipe)
        _run(config, progress, given.ray)


def _is_finished(folder: Path, recipe: Recipe) -> bool:
    """Whether a folder has a finished run of this recipe; one of another recipe is refused."""
    from amrg.training.outputs.run_folder import RunStatus, refuse_different_recipe, run_status

    refuse_different_recipe(folder, recipe)
    return run_status(folder) is RunStatus.FINISHED


def _training_cases(data: Path, split: str) -> int:
    """The number of training cases of a split; refused if the run could not read it."""
    from amrg.datasets import open_dataset

    return len(open_dataset(data).ready_split(split, ("train", "validation")).train)


def _with_steps(config: TrainConfig, n_train: int) -> TrainConfig:
    """The run with steps in place of epochs, stated."""
    if config.epochs is None:
        return config
    resolved = config.resolved(n_train)
    err.print(
        f"num_train_epochs {config.epochs:g}: {resolved.recipe.steps} steps of {config.recipe.batch_size} exams, "
        f"on {counted(n_train, 'training case')}",
        soft_wrap=True,
    )
    return resolved


@contextmanager
def refusing() -> Iterator[None]:
    """Exit with one line if a run cannot start or resume."""
    from amrg.datasets import DatasetError
    from amrg.models import ModelError
    from amrg.training.documents import RecipeError
    from amrg.training.errors import TuningError

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
    """Before anything is loaded: refuse a different run, and an interrupted one without --resume."""
    from amrg.training.outputs.run_folder import RunStatus, refuse_different_recipe, run_status

    refuse_different_recipe(folder, recipe)
    if run_status(folder) is RunStatus.INTERRUPTED and not resume:
        fail(
            Exit.USAGE,
            f"{folder}: contains an interrupted run of this recipe; add --resume (amrg train --resume {folder}), "
            "or use another folder",
        )


def _refuse_full(folder: Path) -> None:
    """Refuse a folder that cannot be written, or has no room for even a small run."""
    with writing(folder):
        refuse_unwritable(folder)
        refuse_no_room(folder, _LEAST_FREE)


def _refuse_base(recipe: Recipe) -> None:
    """Refuse a base that is meant as a folder and is none."""
    path = Path(recipe.base)
    if recipe.base.startswith((".", "/", "~")) and not path.is_dir():
        fail(Exit.NO_MODEL, f"base is {recipe.base!r}: no such folder; expected a model's folder or its hub name")


def _elsewhere(
    config: TrainConfig, cache: Path, address: str | None, progress: Callable[[str, int, int], None]
) -> ClusterFeatures | None:
    """What computes image features on a Ray cluster; None without one."""
    if address is None:
        return None
    from amrg.core.ray_cluster import RayPlan
    from amrg.training.data.compute_on_ray import ClusterFeatures, FeatureJob
    from amrg.training.data.prepared import DataSource

    data, split, _ = config.required()
    return ClusterFeatures(FeatureJob.here(config.recipe, DataSource(data, split), cache), RayPlan(address), progress)


def _run(config: TrainConfig, progress: _Progress, ray: str | None) -> None:
    """Prepare and train; several processes prepare one after another, and only the first prints."""
    data, split, folder = config.required()
    with busy("loading the base"):
        from amrg.training.data.prepared import DataSource, prepare
        from amrg.training.loop.distributed import processes
        from amrg.training.loop.tuning import tune
        from amrg.training.outputs.run_folder import RunSpec, RunStatus, refuse_different_run, run_status
        from amrg.training.outputs.terminal import TerminalProgress
        from amrg.training.outputs.trackers import Trackers
        from amrg.training.train_config import write_config

        state = processes()
    err.quiet = not state.is_main_process
    recipe = config.recipe
    _print_recipe(recipe)
    with bars() as counted, writing(progress.cache), state.main_process_first():
        elsewhere = _elsewhere(config, progress.cache, ray, counted)
        prepared = prepare(recipe, DataSource(data, split), progress.cache, counted, elsewhere)
    _print_cases(prepared)
    refuse_different_run(folder, RunSpec.of(prepared, recipe))
    if state.is_main_process and run_status(folder) is not RunStatus.FINISHED:
        write_config(folder, replace(config, out=folder, cache=progress.cache))
    with TerminalProgress(err, recipe.validation.metric) as terminal:
        try:
            tune(prepared, recipe, folder, terminal, Trackers(config.report_to, complain))
        finally:
            progress.step = terminal.step
    if state.num_processes > 1:
        state.destroy_process_group()


def _interrupted(given: _Given, progress: _Progress) -> str:
    """What an interruption left behind, what it lost, and how to continue."""
    from amrg.training.outputs.run_folder import RunStatus, run_status

    if progress.folder == Path() or run_status(progress.folder) is RunStatus.NEW:
        return (
            "interrupted before the first step: nothing of the run is saved; images and features computed so far are "
            f"in {progress.cache}; start again with the same command"
        )
    from amrg.training.loop.checkpoints import FILE_NAME, read_step

    folder, saved = progress.folder, read_step(progress.folder / FILE_NAME)
    if run_status(folder) is RunStatus.FINISHED:
        return f"{folder}: interrupted; the run there is finished and unchanged"
    again = f"amrg train --resume {folder}"
    if saved is None:
        done = "the 1 step done is" if progress.step == 1 else f"the {progress.step} steps done are"
        lost = f"{done} lost" if progress.step else "no step was done"
        return f"{folder}: interrupted before the first checkpoint, {lost}; {again} starts with the first step"
    step = max(progress.step, saved)
    repeated = f"; step{f' {step} is' if step == saved + 1 else f's {saved + 1} to {step} are'} computed again"
    repeated = repeated if step > saved else ""
    return f"{folder}: interrupted after step {step}, the checkpoint is of step {saved}{repeated}; resume with {again}"


def _print_recipe(recipe: Recipe) -> None:
    """The resolved recipe, one field per line."""
    from amrg.core.values import flatten

    for name, value in flatten(recipe.model_dump(mode="json")):
        err.print(f"{name} = {json.dumps(value, ensure_ascii=False)}", markup=False, soft_wrap=True)


def _print_cases(prepared: PreparedData) -> None:
    """The number of cases, and the first skipped ones with the reason."""
    counts, skipped = prepared.data, prepared.skipped
    err.print(
        f"{counted(counts.n_train, 'training case')}, {counted(counts.n_validation, 'validation case')}; "
        f"{len(skipped)} skipped"
    )
    for key, why in skipped[:_MAX_NAMED]:
        err.print(f"skipped: {key}: {why}", markup=False, soft_wrap=True)
    if len(skipped) > _MAX_NAMED:
        err.print(f"and {len(skipped) - _MAX_NAMED} more: training.json and summary.html list all")


def _print_result(training: TrainingRecord, folder: Path, as_json: bool) -> None:
    """The result."""
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
