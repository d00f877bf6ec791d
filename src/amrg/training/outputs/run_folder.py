"""The run in a folder: its recipe, data and base, and its status. Two runs are never mixed in one folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amrg.core.files import write_text
from amrg.core.values import Value, differing, flatten
from amrg.models.adapters.files import CONFIG_FILE, RECIPE_FILE, RUN_FILE, TRAINING_FILE
from amrg.models.settings import ModelSettings
from amrg.training.data.prepared import DataUsed, PreparedData
from amrg.training.errors import TuningError
from amrg.training.recipe import Recipe

RECIPE, RUN, DONE = RECIPE_FILE, RUN_FILE, TRAINING_FILE

MAY_DIFFER = frozenset({"recipe.micro_batch_size", "recipe.gradient_checkpointing", "recipe.torch_compile"})
"""Fields that may change when a run is resumed, as after memory ran out or without a compiler: the result is equal up
to rounding.

With dropout, `micro_batch_size` and `torch_compile` also change which units are dropped: random numbers follow the
tensor shapes, and compiled layers draw their own. `recipe.json` keeps the first recipe of the run; `training.json` has
the last `micro_batch_size`.
"""


class RunStatus(StrEnum):
    """The status of the run in a folder."""

    NEW = "new"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


class RunSpec(Value):
    """A run: its recipe, its data, and its base: weights by hash or hub commit, and how it is prompted.

    `settings` are None in folders that an earlier version began.
    """

    recipe: Recipe
    data: DataUsed
    weights: str | None
    settings: ModelSettings | None = None

    @classmethod
    def of(cls, prepared: PreparedData, recipe: Recipe) -> RunSpec:
        """The run of a recipe on prepared data."""
        return cls(recipe=recipe, data=prepared.data, weights=prepared.weights_id, settings=prepared.loaded.settings)


def run_status(folder: Path) -> RunStatus:
    """The status of the run in a folder; a missing folder, or one without a run, is new."""
    if (folder / DONE).is_file():
        return RunStatus.FINISHED
    return RunStatus.INTERRUPTED if (folder / RUN).is_file() else RunStatus.NEW


def refuse_different_run(folder: Path, run: RunSpec) -> None:
    """Refuse a folder with a different run.

    Raises:
        TuningError: it has a different run, or an adapter that is not from amrg.
    """
    if run_status(folder) is RunStatus.NEW:
        _refuse_foreign_adapter(folder)
        return
    differing = list(differences(read_run(folder), run))
    if differing:
        raise _different(folder, differing)


def _different(folder: Path, differing: list[str]) -> TuningError:
    return TuningError(
        f"{folder}: the folder contains a different run ({'; '.join(differing)}); "
        "use an empty folder, or repeat the same run to resume it"
    )


def refuse_different_recipe(folder: Path, recipe: Recipe) -> None:
    """Refuse a folder with a run of another recipe, before anything is loaded.

    Raises:
        TuningError: it has a run of another recipe, or an adapter that is not from amrg.
    """
    if run_status(folder) is RunStatus.NEW:
        _refuse_foreign_adapter(folder)
        return
    there = read_run(folder)
    base = there.recipe.base
    if recipe.base != base and not Path(recipe.base).is_dir():  # a folder may be the same weights, moved
        raise _different(
            folder, [f"recipe.base: the folder has {json.dumps(base)}, this run {json.dumps(recipe.base)}"]
        )
    refuse_different_run(folder, there.model_copy(update={"recipe": recipe}))


def read_run(folder: Path) -> RunSpec:
    """The run in a folder.

    Raises:
        TuningError: it was written by another version of amrg.
    """
    try:
        return RunSpec.model_validate_json((folder / RUN).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TuningError(
            f"{folder / RUN}: {where or 'the file'} is not in the format of this version of amrg; use another folder"
        ) from error


def write_run(folder: Path, run: RunSpec) -> None:
    """Write the run of a folder; `recipe.json` is for starting further runs with the same recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / RECIPE, [run.recipe.model_dump_json(indent=2)])
    write_text(folder / RUN, [run.model_dump_json(indent=2)])


def differences(stored: RunSpec, requested: RunSpec) -> Iterator[str]:
    """The fields in which two runs differ; the same weights may have moved to another path."""
    if stored.settings is None:
        requested = requested.model_copy(update={"settings": None})
    before, now = (dict(flatten(run.model_dump(mode="json"))) for run in (stored, requested))
    moved = {"recipe.base"} if stored.weights is not None and stored.weights == requested.weights else set()
    for name in differing(before, now):
        if name not in MAY_DIFFER | moved:
            yield f"{name}: the folder has {_value(before, name)}, this run {_value(now, name)}"


def _refuse_foreign_adapter(folder: Path) -> None:
    if (folder / CONFIG_FILE).is_file():
        raise TuningError(f"{folder}: the folder contains an adapter from elsewhere; use an empty folder")


def _value(document: Mapping[str, Any], name: str) -> str:
    return json.dumps(document[name], ensure_ascii=False) if name in document else "no value"
