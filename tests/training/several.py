"""One run in two processes on this machine, as `accelerate launch` starts them; forked, so that it takes no time."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest import mock

import torch
from torch.distributed import distributed_c10d

from amrg.training.callbacks import NoCallback, StepStats
from amrg.training.errors import TuningError
from amrg.training.loop import tuning
from amrg.training.loop.distributed import SHARDED, processes
from amrg.training.loop.tuning import tune
from amrg.training.recipe import Recipe
from tests.training.forked import forking
from tests.training.small import base, fabricated
from tests.training.tracing import traced

HUNG = 3600.0
"""Seconds after which a process is taken to hang, and is ended: far beyond what compiling takes on any machine."""


class Speaking(NoCallback):
    """Writes down which process it was told in; stops a run by an error where it is asked to."""

    def __init__(self, folder: Path, breaks_at: int) -> None:
        self._path, self._breaks_at = folder.with_suffix(".spoke"), breaks_at

    def on_step(self, stats: StepStats) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{os.environ['RANK']}\n")
        if stats.step == self._breaks_at:
            os._exit(9)


def launched(rank: int, world: int, port: int) -> None:
    """Set what a launcher sets for one of its processes."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
    }
    torch.set_num_threads(1)


def late(rank: int, world: int, port: int, order: tuple[float]) -> None:
    """A process that waits for the first, which comes so many seconds late: longer than torch waits by default."""
    launched(rank, world, port)
    (seconds,) = order
    with mock.patch.object(distributed_c10d, "_get_default_timeout", return_value=timedelta(seconds=seconds / 4)):
        state = processes()
    with state.main_process_first():
        if rank == 0:
            time.sleep(seconds)


def run(rank: int, world: int, port: int, order: tuple[Path, Path, Recipe, bool, int]) -> None:
    """One process of a run; a refusal is written down beside its folder, which may be another for each `{rank}`."""
    folder, bases, recipe, sharded, breaks_at = order
    launched(rank, world, port)
    os.environ[SHARDED] = str(sharded).lower()
    tuning.SAVE_EVERY = 0.0
    folder = Path(str(folder).format(rank=rank))
    try:
        with mock.patch.object(tuning, "write_summary"), traced():
            tune(fabricated(base(bases), recipe), recipe, folder, Speaking(folder, breaks_at))
    except TuningError as error:
        folder.with_suffix(".refused").write_text(str(error), encoding="utf-8")
        raise SystemExit(1) from None


def in_processes(world: int, *order: object, target: Callable[..., None] = run) -> list[int | None]:
    """Start all processes of a run; returns how each ended. Where one ends badly, the others are ended too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = forking()
    started = [context.Process(target=target, args=(rank, world, port, order)) for rank in range(world)]
    for process in started:
        process.start()
    for process in started:
        process.join(HUNG)
        if process.exitcode != 0:
            for other in started:
                other.kill()
    return [process.exitcode for process in started]
