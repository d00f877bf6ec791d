"""A whole run in one document: data, split, output, cache and recipe. From a file, the command line, or a run's folder.

`run.yaml` in a run's folder has all of it, so that the folder alone is enough to resume the run.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from amrg.core.files import write_text
from amrg.models.checkpoint import NAME
from amrg.training.documents import RecipeError, read_document
from amrg.training.overriding import override, recipe_from
from amrg.training.recipe import Recipe
from amrg.training.tracker_names import tracker_names

FILE_NAME = "run.yaml"
EPOCHS = "num_train_epochs"
"""In a recipe's document in place of `steps`: it becomes steps once the number of training cases is known."""

_PATHS = ("data", "out", "cache")
_SHORT = ("base", "target_text", "answer")  # fields of the recipe that the command line names too
_FIELDS = (*_PATHS, "split", "report_to", *_SHORT, "recipe")
_OTHER_NAMES = {
    **dict.fromkeys(("epochs", "num_epochs"), EPOCHS),
    "max_steps": "steps",
    "lr": "learning_rate",
    "per_device_train_batch_size": "micro_batch_size",
}
"""Names that other tools have for fields of a recipe."""

_SYNONYMS = {"model": "base", "dataset": "data", "output": "out", "output_dir": "out", EPOCHS: f"recipe.{EPOCHS}"}


@dataclass(frozen=True)
class TrainConfig:
    """A run as requested; None where nothing is given. `epochs` is set instead of the recipe's `steps`.

    `report_to` names trackers next to the run's own logs.
    """

    data: Path | None = None
    split: str | None = None
    out: Path | None = None
    cache: Path | None = None
    recipe: Recipe = field(default_factory=Recipe)
    epochs: float | None = None
    report_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Folders may be given as text."""
        for name in _PATHS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)))

    def changed(self, changes: Sequence[str]) -> TrainConfig:
        """With fields of the recipe set by `name=value`; of steps and epochs the one given here counts.

        Raises:
            RecipeError: an unknown field, an invalid value, or both steps and epochs.
        """
        named = {name.strip(): value for name, _, value in (change.partition("=") for change in changes)}
        _refuse_other_names(named, "--set")
        recipe = override(self.recipe, [c for c in changes if c.partition("=")[0].strip() != EPOCHS])
        if EPOCHS in named:
            return replace(self, recipe=recipe, epochs=_epochs(named[EPOCHS], f"{EPOCHS}={named[EPOCHS]}"))
        return replace(self, recipe=recipe, epochs=None if "steps" in named else self.epochs)

    def over(self, **given: Any) -> TrainConfig:
        """With the fields that are given, others as they are."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def required(self) -> tuple[Path, str, Path]:
        """Data, split and output folder.

        Raises:
            RecipeError: one of them is not given.
        """
        if self.data is None or self.split is None or self.out is None:
            missing = [f"--{name}" for name in ("data", "split", "out") if getattr(self, name) is None]
            raise RecipeError(f"{', '.join(missing)}: not given; expected as options, or in the file of --config")
        return self.data, self.split, self.out

    @property
    def recipe_document(self) -> dict[str, Any]:
        """The recipe as a file states it, with epochs in place of steps where those are set."""
        fields = self.recipe.model_dump(mode="json")
        if self.epochs is None:
            return fields
        del fields["steps"]
        return {**fields, EPOCHS: self.epochs}

    def rooted(self) -> TrainConfig:
        """With a base that is a folder by its full path, so that the run is the same from any folder."""
        base = self.recipe.base if self.recipe.base == NAME else _local_base(self.recipe.base, Path())
        return replace(self, recipe=self.recipe.model_copy(update={"base": base}))

    def resolved(self, n_train: int) -> TrainConfig:
        """With steps in place of epochs, for a number of training cases."""
        if self.epochs is None:
            return self
        steps = math.ceil(self.epochs * math.ceil(n_train / self.recipe.batch_size))
        return replace(self, recipe=self.recipe.model_copy(update={"steps": max(1, steps)}), epochs=None)


def read_config(path: Path) -> TrainConfig:
    """The run of a YAML (or JSON) file; relative paths count from the file's folder.

    Raises:
        RecipeError: it cannot be read, or has an unknown field, one twice, or an invalid value.
    """
    document = read_document(path)
    _refuse_unknown(path, document)
    recipe = document.get("recipe") or {}
    if isinstance(recipe, str):
        recipe = read_document(path.parent / recipe)
    if not isinstance(recipe, Mapping):
        raise RecipeError(f"{path}: recipe is {json.dumps(recipe)}; expected its fields, or the path of a recipe file")
    for name in _SHORT:
        if name in document and name in recipe:
            raise RecipeError(f"{path}: {name} and recipe.{name} are both given; expected one of them")
    fields = {name: document[name] for name in _SHORT if name in document} | dict(recipe)
    config = recipe_config(fields, str(path))
    paths = {name: path.parent / str(document[name]) for name in _PATHS if document.get(name) is not None}
    split = document.get("split")
    base = _local_base(config.recipe.base, path.parent)
    config = replace(config, recipe=config.recipe.model_copy(update={"base": base}))
    trackers = document.get("report_to")
    return config.over(
        **paths,
        split=None if split is None else str(split),
        report_to=None if trackers is None else tracker_names(trackers, f"{path}: report_to"),
    )


def recipe_config(fields: Mapping[str, Any], where: str) -> TrainConfig:
    """A run of which only the recipe is given, by its fields.

    Raises:
        RecipeError: an unknown field or an invalid value.
    """
    _refuse_other_names(fields, where)
    others = {name: value for name, value in fields.items() if name != EPOCHS}
    epochs = _epochs(fields[EPOCHS], where) if EPOCHS in fields else None
    return TrainConfig(recipe=recipe_from(others, where), epochs=epochs)


def write_config(folder: Path, config: TrainConfig) -> None:
    """Write `run.yaml`: the same run again with `amrg train --config`, or resumed with `amrg train --resume FOLDER`."""
    paths = {name: str(path.absolute()) for name in _PATHS if (path := getattr(config, name)) is not None}
    trackers = {"report_to": list(config.report_to)} if config.report_to else {}
    document = {**paths, "split": config.split, **trackers, "recipe": config.recipe.model_dump(mode="json")}
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FILE_NAME, [yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip()])


def _refuse_unknown(path: Path, document: Mapping[str, Any]) -> None:
    """Refuse a field that a run does not have, with the one that is probably meant."""
    for name in document:
        if name not in _FIELDS:
            hints = [_SYNONYMS[name]] if name in _SYNONYMS else list(_near(name))
            meant = f"did you mean {', '.join(hints)}?" if hints else f"the fields are {', '.join(_FIELDS)}"
            raise RecipeError(f"{path}: a run has no field {name!r}; {meant}")


def _refuse_other_names(fields: Mapping[str, Any], where: str) -> None:
    """Refuse what other tools call a field of a recipe, and steps next to epochs."""
    if other := next((name for name in fields if name in _OTHER_NAMES), None):
        raise RecipeError(f"{where}: a recipe has no field {other!r}; did you mean {_OTHER_NAMES[other]}?")
    if EPOCHS in fields and "steps" in fields:
        raise RecipeError(f"{where}: both steps and {EPOCHS} are set; expected one of them")


def _near(name: str) -> Iterator[str]:
    """Fields of a run and of its recipe that resemble a name."""
    yield from difflib.get_close_matches(name, _FIELDS, 1, 0.7)
    yield from (f"recipe.{known}" for known in difflib.get_close_matches(name, Recipe.model_fields, 1, 0.7))


def _local_base(base: str, folder: Path) -> str:
    """A base that is a folder, as named from `folder`, by its full path; a hub name as it is."""
    return str((folder / base).absolute()) if (folder / base).is_dir() else base


def _epochs(value: Any, where: str) -> float:
    """A number of epochs.

    Raises:
        RecipeError: it is not above 0.
    """
    try:
        epochs = float(value)
    except (TypeError, ValueError):
        epochs = math.nan
    if not (epochs > 0 and math.isfinite(epochs)):
        raise RecipeError(f"{where}: {EPOCHS} is {value!r}; expected a number above 0")
    return epochs
