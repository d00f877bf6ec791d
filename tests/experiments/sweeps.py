"""A sweep whose trials cost nothing: what is prepared and tuned is made up, and noted in a file."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from amrg.experiments.sweep.config import Steps, SweepConfig
from amrg.experiments.sweep.definition import Alpha, Sweep, SweepBase, make_sweep
from amrg.experiments.sweep.trials import Trial
from amrg.experiments.sweep.worker import run_trials
from amrg.models import ModelSettings, ViewEncoding
from amrg.training.callbacks import STOPPED, Callback, NoCallback
from amrg.training.data.prepared import DataSource
from amrg.training.loop.tuning import TrainedAdapter
from amrg.training.recipe import Recipe, Validation

BRIEF = ModelSettings(encoding=ViewEncoding(size=56), instruction="Report.", max_new_tokens=6)
"""Settings of a tiny base of any family, limited to a few tokens: it would write as many as it may."""

Before = Callable[[Recipe, Path, int], None]
"""Called with the recipe, the trial's folder and the step, before a made-up run takes it."""


def sweep(**fields: Any) -> Sweep:
    """Ranks 2 and 4 with scalings of once and twice the rank, on a base that is none; eight steps."""
    recipe = Recipe(steps=8, validation=Validation(every=2, cases=4))
    defaults = {"bases": (SweepBase(name="one", source="one"),), "ranks": (2, 4), "alphas": (alpha("1x"), alpha("2x"))}
    return make_sweep(**{**defaults, "recipe": recipe, **fields})


def alpha(text: str) -> Alpha:
    return Alpha.parse(text)


def strength(recipe: Recipe) -> float:
    """What a made-up run reaches in the end: better with rank, a little worse with its seed."""
    return round(recipe.lora.rank / 100 + recipe.lora.alpha / 1000 - recipe.seed / 10_000, 6)


@dataclass
class Made:
    """Prepares and tunes nothing; `notes` is a file with a line a call, which all processes write to.

    Processes that share `all_prepared` wait there for one another, so that all take part.
    """

    notes: Path
    before: Before = lambda recipe, folder, step: None
    weights: str = "w" * 64
    all_prepared: Barrier | None = None

    def prepare(self, recipe: Recipe, source: DataSource, cache: Path, progress: Any) -> Any:
        self._note("prepare", recipe.base)
        if self.all_prepared is not None:
            self.all_prepared.wait()
        return SimpleNamespace(weights_id=self.weights)

    def tune(self, prepared: Any, recipe: Recipe, folder: Path, callback: Callback) -> TrainedAdapter:
        folder.mkdir(exist_ok=True)
        stopped = "all steps done"
        every = recipe.validation.every
        for step in range(every, recipe.steps + 1, every):
            self.before(recipe, folder, step)
            if callback.on_validation(step, strength(recipe) * step / recipe.steps) and step < recipe.steps:
                stopped = STOPPED
                break
        self._note("tune", f"r{recipe.lora.rank}-a{recipe.lora.alpha}-s{recipe.seed}")
        best = strength(recipe) * step / recipe.steps
        return TrainedAdapter(
            folder=folder,
            best_step=step,
            best=best,
            steps=step,
            trainable=8,
            seconds=1.0,
            peak_bytes=2,
            stopped=stopped,
        )

    def _note(self, *words: str) -> None:
        with self.notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps(words) + "\n")

    def noted(self, what: str) -> list[str]:
        """What was prepared or tuned, in order."""
        lines = self.notes.read_text(encoding="utf-8").splitlines() if self.notes.exists() else []
        return [name for kind, name in map(json.loads, lines) if kind == what]


@dataclass
class Silent:
    """Reports nothing, and records which trials started and ended."""

    begun: list[Trial] = field(default_factory=list)
    done: list[Trial] = field(default_factory=list)

    def progress(self, what: str, done: int, count: int) -> None:
        pass

    def started(self, trial: Trial) -> Callback:
        self.begun.append(trial)
        return NoCallback()

    def ended(self, trial: Trial) -> None:
        self.done.append(trial)


@dataclass(frozen=True)
class Swept:
    """One sweep on made-up steps, run as often as needed."""

    source: DataSource
    folder: Path
    made: Made

    def run(self, what: Sweep, storage: str | None = None, retry: bool = False) -> list[Trial]:
        steps = Steps(self.made.prepare, self.made.tune)
        return run_trials(SweepConfig(what, self.source, self.folder, storage, retry, steps), Silent())

    def in_processes(self, folders: Sequence[Path], what: Sweep, storage: str | None = None) -> list[int]:
        """Run it in a process for each folder, all together; returns their exit codes.

        Where one ends by an error, the others no longer wait for it.
        """
        forked = multiprocessing.get_context("fork")
        self.made.all_prepared = forked.Barrier(len(folders))
        workers = [forked.Process(target=Swept(self.source, f, self.made).run, args=(what, storage)) for f in folders]
        for worker in workers:
            worker.start()
        running = list(workers)
        while running:
            connection.wait([worker.sentinel for worker in running])
            running = [worker for worker in workers if worker.is_alive()]
            if any(worker.exitcode for worker in workers):
                self.made.all_prepared.abort()
        self.made.all_prepared = None
        return [worker.exitcode or 0 for worker in workers]
