"""Runs in processes of their own that are killed, at a moment chosen beforehand, as `kill -9` kills them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from safetensors.torch import save_file

from amrg.training.callbacks import NoCallback
from amrg.training.loop import checkpoints, tuning
from amrg.training.loop.tuning import tune
from amrg.training.loop.validating import DraftWriter
from amrg.training.recipe import Recipe
from tests.training.forked import forking
from tests.training.small import base, fabricated
from tests.training.tracing import traced

Moment = tuple[str, int]
"""What the run is doing, and the how-manieth time it does so, when it is killed."""
NEVER: Moment = ("never", 99)
SAME = ("adapter_model.safetensors", "validation.csv", "predictions-validation.jsonl", "recipe.json", "amrg.json")
"""Files of a run that are the same however often it was killed."""


def kill() -> None:
    """As `kill -9` does: nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def at(number: int, call: Callable[..., object], first: Callable[..., None]) -> Callable[..., object]:
    """A call that is killed at its how-manieth time, after `first` was done with its arguments."""
    times = 0

    def killed(*given: object, **named: object) -> object:
        nonlocal times
        times += 1
        if times == number:
            first(*given, **named)
            kill()
        return call(*given, **named)

    return killed


def half_written(tensors: object, path: Path, metadata: object) -> None:
    """Leave the first half of a checkpoint where it is being written."""
    save_file(tensors, path, metadata)  # type: ignore[arg-type]
    os.truncate(path, path.stat().st_size // 2)


def nothing(*_: object, **__: object) -> None:
    """Before being killed."""


@contextmanager
def killed_at(moment: Moment) -> Iterator[None]:
    """The run of this process is killed at a moment."""
    what, number = moment
    owner, name, first = {
        "step": (tuning._Run, "_report", nothing),
        "drafting": (DraftWriter, "_written", nothing),
        "writing a checkpoint": (checkpoints, "save_file", half_written),
        "renaming a checkpoint": (checkpoints, "fsync", nothing),
        "leaving": (tuning, "write_training", nothing),
        "never": (tuning, "write_training", nothing),
    }[what]
    with mock.patch.object(owner, name, at(number, getattr(owner, name), first)):
        yield


def run(folder: Path, bases: Path, recipe: Recipe, save_every: float, moment: Moment) -> None:
    """A run in this process, killed or not."""
    torch.set_num_threads(1)
    tuning.SAVE_EVERY = save_every
    with mock.patch.object(tuning, "write_summary", nothing), killed_at(moment):
        tune(fabricated(base(bases), recipe), recipe, folder, NoCallback())


def traced_run(folder: Path, bases: Path, recipe: Recipe, save_every: float, moment: Moment) -> None:
    """A run whose compiled layers are traced alone, without kernels."""
    with traced():
        run(folder, bases, recipe, save_every, moment)


def spawned(*arguments: object, target: Callable[..., None] = run) -> int | None:
    """A run in a process of its own; returns how it ended: 0, or minus the signal that killed it."""
    process = forking().Process(target=target, args=arguments)
    process.start()
    process.join()
    return process.exitcode
