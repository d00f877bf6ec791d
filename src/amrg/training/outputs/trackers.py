"""Weights & Biases and MLflow next to a run's own logs, through accelerate's trackers: numbers and the recipe.

No text, image, key of a case or path is sent. Weights & Biases would by itself capture the terminal, the command line,
the code and the machine: all of that is turned off. A tracker that fails is closed with one line; the run continues.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, Protocol

from accelerate.tracking import MLflowTracker, WandBTracker

from amrg.core.files import write_text
from amrg.core.telemetry import turn_off_telemetry
from amrg.core.values import flatten
from amrg.training.data.prepared import DataUsed
from amrg.training.recipe import Recipe

PROJECT = "amrg"
"""The project of Weights & Biases, and the experiment of MLflow, unless its own environment variable names another."""

IDS = "trackers.json"
"""In a run's folder: the run that each tracker began, so that a resumed run continues it."""

_QUIET = {
    "console": "off",
    "save_code": False,
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
    "silent": True,
}
"""Settings of Weights & Biases; a version that does not know one of them fails, and sends nothing."""


P = ParamSpec("P")


class Tracker(Protocol):
    """What accelerate's trackers are to a run."""

    @property
    def tracker(self) -> Any:
        """The run there, once it is started."""

    def start(self) -> None:
        """Begin or continue the run there."""

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        """Send the recipe."""

    def log(self, values: dict[str, float], step: int) -> None:
        """Send the values of a step."""

    def finish(self) -> None:
        """End the run there."""


def _wandb(folder: Path, run_id: str | None) -> Tracker:
    settings = import_module("wandb").Settings(**_QUIET)
    project = os.environ.get("WANDB_PROJECT", PROJECT)
    tracker: Tracker = WandBTracker(
        project, dir=str(folder), name=folder.name, id=run_id, resume="allow", settings=settings
    )
    return tracker


def _mlflow(folder: Path, run_id: str | None) -> Tracker:
    turn_off_telemetry()
    tags = {"mlflow.user": "amrg", "mlflow.source.name": "amrg train"}  # in place of the login and the path
    tracker: Tracker = MLflowTracker(PROJECT, run_id=run_id, run_name=folder.name, tags=tags)
    return tracker


TRACKERS: Mapping[str, Callable[[Path, str | None], Tracker]] = {"wandb": _wandb, "mlflow": _mlflow}
"""Of a run's folder, and of the run there that it continues; by its name in `amrg.training.tracker_names`."""

_ID_OF: Mapping[str, Callable[[Any], str]] = {"wandb": lambda run: run.id, "mlflow": lambda run: run.info.run_id}


def run_settings(recipe: Recipe, data: DataUsed) -> dict[str, Any]:
    """What is sent of a run before its values: its recipe, its data by name and hash. A base on disk by its name."""
    base = Path(recipe.base).name if Path(recipe.base).is_dir() else recipe.base
    recipe = recipe.model_copy(update={"base": base})
    return dict(flatten({"recipe": recipe.model_dump(mode="json"), "data": data.model_dump(mode="json")}))


class Trackers:
    """The trackers of one run, used by its main process: values of steps and validations, and the recipe."""

    def __init__(self, names: Sequence[str], complain: Callable[[str], None]) -> None:
        """`complain` is called with one line if a tracker fails."""
        self._names = tuple(name for name in names if name in TRACKERS)
        self._complain = complain
        self._running: dict[str, Tracker] = {}

    def start(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Begin a run in each tracker with `settings`, or continue the one that this folder began."""
        ids = _read_ids(folder / IDS)
        for name in self._names:
            self._guarded(name, self._start, name, folder, ids, settings)
        if self._running:
            write_text(folder / IDS, [json.dumps(ids, indent=1)])

    def _start(self, name: str, folder: Path, ids: dict[str, str], settings: Mapping[str, Any]) -> None:
        tracker = TRACKERS[name](folder, ids.get(name))
        tracker.start()
        self._running[name] = tracker
        if name not in ids:
            tracker.store_init_configuration(dict(settings))
        ids[name] = _ID_OF[name](tracker.tracker)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send values of a step."""
        for name, tracker in list(self._running.items()):
            self._guarded(name, tracker.log, dict(values), step=step)

    def close(self) -> None:
        """End the run in each tracker."""
        for name, tracker in list(self._running.items()):
            self._guarded(name, tracker.finish)
        self._running.clear()

    def _guarded(self, name: str, call: Callable[P, None], *args: P.args, **options: P.kwargs) -> None:
        """Call a tracker; the first error is its last call."""
        try:
            call(*args, **options)
        except Exception as error:
            self._running.pop(name, None)
            self._complain(
                f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}; nothing more is sent there, "
                "the run continues, and log.csv has every value"
            )


def _read_ids(path: Path) -> dict[str, str]:
    """The runs that trackers began for a folder; none where it has no such file, or a damaged one."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
