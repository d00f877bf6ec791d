"""What a run's folder is a run of, and how far it is. Another run is never mixed into it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amrg.core.files import write_text
from amrg.core.values import Value, flatten
from amrg.models.adapters import CONFIG_FILE, RECIPE_FILE, TRAINING_FILE
from amrg.training.data.prepared import DataUsed, Prepared
from amrg.training.errors import TuningError
from amrg.training.recipe import Recipe

RECIPE, RUN, DONE = RECIPE_FILE, "run.json", TRAINING_FILE

MAY_DIFFER = frozenset({"recipe.micro_batch_size", "recipe.gradient_checkpointing", "recipe.torch_compile"})
"""Fields that may change when a run is resumed, as after memory ran out or without a compiler: the result is equal up
to rounding.

With dropout, `micro_batch_size` and `torch_compile` also change which units are dropped: random numbers follow the
tensor shapes, and compiled layers draw their own. `recipe.json` keeps the first recipe of the run; `training.json` has
the last `micro_batch_size`.
"""


class RunStatus(StrEnum):
    """How far the run in a folder is."""

    NONE = "none"
    UNFINISHED = "unfinished"
    FINISHED = "finished"


class RunOf(Value):
    """What decides a run: its recipe, its data, and the weights that it starts from, by hash or hub commit."""

    recipe: Recipe
    data: DataUsed
    weights: str | None

    @classmethod
    def of(cls, prepared: Prepared, recipe: Recipe) -> RunOf:
        """The run of a recipe on what was prepared."""
        loaded = prepared.loaded
        return cls(recipe=recipe, data=prepared.data, weights=loaded.weights_hash or loaded.revision)


def run_status(folder: Path) -> RunStatus:
    """How far the run in a folder is; a folder without one, or none at all, has none."""
    if (folder / DONE).is_file():
        return RunStatus.FINISHED
    return RunStatus.UNFINISHED if (folder / RUN).is_file() else RunStatus.NONE


def refuse_different_run(folder: Path, run: RunOf) -> None:
    """Hold a folder to the run that is in it.

    Raises:
        TuningError: it holds another, or an adapter that no run of amrg left.
    """
    if run_status(folder) is RunStatus.NONE:
        _refuse_stranger(folder)
        return
    differing = list(differences(read_run(folder), run))
    if differing:
        raise TuningError(
            f"{folder}: holds a run of another recipe, data set or base ({'; '.join(differing)}): "
            "name another folder, or ask for the same"
        )


def refuse_another_recipe(folder: Path, recipe: Recipe) -> None:
    """Hold a folder to the recipe of the run that is in it: what is known before anything is loaded.

    Raises:
        TuningError: it holds a run of another recipe, or an adapter that no run of amrg left.
    """
    if run_status(folder) is RunStatus.NONE:
        _refuse_stranger(folder)
        return
    there = read_run(folder)
    refuse_different_run(folder, there.model_copy(update={"recipe": recipe}))


def read_run(folder: Path) -> RunOf:
    """What the run in a folder is.

    Raises:
        TuningError: it was written by another version of amrg.
    """
    try:
        return RunOf.model_validate_json((folder / RUN).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TuningError(
            f"{folder / RUN}: {where or 'the file'} is not as this version of amrg writes it; name another folder"
        ) from error


def write_run(folder: Path, run: RunOf) -> None:
    """Say what a folder is a run of; `recipe.json` alone is what another run can be started with."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / RECIPE, [run.recipe.model_dump_json(indent=2)])
    write_text(folder / RUN, [run.model_dump_json(indent=2)])


def differences(there: RunOf, asked: RunOf) -> Iterator[str]:
    """Where two runs differ, field by field; the same weights may lie elsewhere by now."""
    before, now = (dict(flatten(run.model_dump(mode="json"))) for run in (there, asked))
    moved = {"recipe.base"} if there.weights is not None and there.weights == asked.weights else set()
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name) and name not in MAY_DIFFER | moved:
            yield f"{name} is {_told(before, name)} there and {_told(now, name)} here"


def _refuse_stranger(folder: Path) -> None:
    if (folder / CONFIG_FILE).is_file():
        raise TuningError(f"{folder}: holds an adapter of something else; name an empty folder")


def _told(document: Mapping[str, Any], name: str) -> str:
    return json.dumps(document[name], ensure_ascii=False) if name in document else "nothing"
