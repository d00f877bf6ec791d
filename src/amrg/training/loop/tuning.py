"""`tune`: a base, its samples and a recipe to the best adapter in a folder. The one loop that trains every backbone.

A folder holds one run. While it goes, `checkpoint.safetensors` says where it stands; when it is done there is
`training.json` and no checkpoint. Called again, `tune` goes on where the run was broken off, however that came about,
and gives back what a finished one gave.
"""

from __future__ import annotations

import time
from pathlib import Path

from peft import PeftModel

from amrg.training.callbacks import STOPPED, Callback, StepStats, peak_bytes
from amrg.training.data.prepared import Prepared
from amrg.training.errors import TuningError, to_tune_with_less, translate_failures
from amrg.training.loop.distributed import DeviceGroup
from amrg.training.loop.lora import ReportLoss, adapters_attached, train_mode
from amrg.training.loop.run_state import RunState
from amrg.training.loop.schedule import learning_rate_at
from amrg.training.loop.stepping import Stepper
from amrg.training.loop.validating import Validator, unscored, validation_scores
from amrg.training.outputs.artifacts import (
    Hardware,
    Training,
    Tuned,
    read_training,
    software,
    write_adapter,
    write_predictions,
    write_settings,
    write_training,
)
from amrg.training.outputs.logs import Logs
from amrg.training.outputs.run_folder import RunOf, RunStatus, read_run, refuse_different_run, run_status, write_run
from amrg.training.outputs.summary import write_summary
from amrg.training.recipe import Recipe

__all__ = ["Tuned", "tune"]

SAVE_EVERY = 120.0
"""Seconds between checkpoints, beside those after every validation."""


def tune(prepared: Prepared, recipe: Recipe, folder: Path, watch: Callback) -> Tuned:
    """Train adapters for a prepared base, and leave the best in `folder`; the base is afterwards what it was before.

    Every process of a run calls it with the same arguments; the first alone writes. A base that was sharded over
    several stays so: it is spent.

    Raises:
        TuningError: the folder holds another run or is not the same for all processes, nothing can be watched, or the
            run cannot go on: a loss that is no number, a full disk, too little memory. The last checkpoint is whole
            then; the same call goes on from it.
    """
    run = RunOf.of(prepared, recipe)
    refuse_different_run(folder, run)
    if run_status(folder) is RunStatus.FINISHED:
        return read_training(folder).tuned(folder)
    with translate_failures(folder, to_tune_with_less(recipe)), adapters_attached(prepared.loaded, recipe) as tuned:
        devices = DeviceGroup(
            recipe, prepared.loaded.backbone.trainable_modules(prepared.loaded.model, recipe.lora.modules).tower
        )
        if devices.is_main and run_status(folder) is RunStatus.NONE:
            write_run(folder, run)
        devices.wait()
        return _Run(prepared, recipe, folder, devices, tuned).to_its_end(watch)


def refuse_unshared(folder: Path, devices: DeviceGroup, step: int) -> None:
    """Hold all processes to one folder: each reads the checkpoint there by itself, and goes on from its step.

    Raises:
        TuningError: two find other runs there, as on the disks of two machines.
    """
    found = "no run" if run_status(folder) is RunStatus.NONE else f"one at step {step}"
    first, *others = devices.gathered([found])
    if differing := [(number, other) for number, other in enumerate(others, 1) if other != first]:
        number, other = differing[0]
        raise TuningError(
            f"{folder}: process {number} finds {other} there, process 0 {first}: "
            "name an --out on a disk that all processes share"
        )


class _Run:
    """One run as it goes."""

    def __init__(
        self, prepared: Prepared, recipe: Recipe, folder: Path, devices: DeviceGroup, tuned: PeftModel
    ) -> None:
        self._prepared, self._recipe, self._folder = prepared, recipe, folder
        self._devices, self._model = devices, tuned
        self._loss = ReportLoss(tuned, prepared.loaded.backbone).to(devices.device)
        self._stepper = Stepper(prepared, recipe, devices, self._loss)
        self._validator = Validator(prepared, recipe)
        self._standing = RunState(folder, recipe, self._stepper)
        refuse_unshared(folder, devices, self._standing.state.step)
        self._logs = Logs(folder, recipe.steps, self._standing.state.step) if devices.is_main else None
        self._saved = time.monotonic()

    def to_its_end(self, watch: Callback) -> Tuned:
        """Take the steps that are left, and leave the best adapter."""
        train_mode(self._model)
        try:
            while self._standing.state.stopped is None:
                self._step(watch)
        finally:
            if self._logs is not None:
                self._logs.close()
        if self._devices.is_main:
            self._leave()
        self._devices.wait()
        return read_training(self._folder).tuned(self._folder)

    def _step(self, watch: Callback) -> None:
        """One step, and what is due after it."""
        taken = self._taken()
        self._told(watch, taken)
        every = self._recipe.validation.every
        if taken.step % every == 0 or taken.step == taken.of:
            self._validate(watch)
            self._save()
            if self._devices.is_main and self._standing.state.best_step == taken.step:
                self._leave_best()
        elif self._devices.told(time.monotonic() - self._saved > SAVE_EVERY):
            self._save()

    def _taken(self) -> StepStats:
        """Take a step."""
        state, began = self._standing.state, time.monotonic()
        learned = self._stepper.take(state.step)
        seconds = time.monotonic() - began
        peak = max(state.peak_bytes, peak_bytes())
        self._standing.now(step=state.step + 1, seconds=state.seconds + seconds, peak_bytes=peak)
        return StepStats(
            step=state.step + 1,
            of=self._recipe.steps,
            loss=learned.loss,
            learning_rate=learning_rate_at(self._recipe, state.step),
            grad_norm=learned.grad_norm,
            cases=learned.cases,
            tokens=learned.tokens,
            seconds=seconds,
            peak_bytes=peak,
        )

    def _told(self, watch: Callback, taken: StepStats) -> None:
        """The main process tells of a step."""
        if self._logs is not None:
            self._logs.step(taken)
            watch.step(taken)

    def _validate(self, watch: Callback) -> None:
        """Look at the watched cases, and find out whether the run ends here."""
        began = time.monotonic()
        seen = self._validator.look(self._loss, self._devices)
        self._standing.saw(seen)
        state, ends = self._standing.state, False
        if self._logs is not None:
            told = {metric.value: value for metric, value in seen.values.items()}
            self._logs.validated(state.step, {**told, "loss": seen.loss, "unscored": seen.unscored})
            ends = watch.validated(state.step, seen.values[self._recipe.validation.metric])
        self._standing.now(seconds=state.seconds + time.monotonic() - began)
        if self._devices.told(ends) and state.stopped is None:
            self._standing.now(stopped=STOPPED)

    def _save(self) -> None:
        """Keep where the run stands; the logs first, so that no row is missing of a step that counts as done."""
        if self._logs is not None:
            self._logs.flush()
        self._standing.save(self._devices.is_main)
        self._saved = time.monotonic()

    def _leave(self) -> None:
        """Write what is left of a run; `training.json` last, because it says that all else is there."""
        folder, state, samples = self._folder, self._standing.state, self._validator.samples
        self._leave_best()
        training = self._training()
        write_summary(folder, read_run(folder).recipe, training, samples, state.texts)
        write_training(folder, training)
        self._standing.path.unlink(missing_ok=True)

    def _leave_best(self) -> None:
        """Write the best adapter so far, which can be drafted with while the run goes on, and if it never ends."""
        write_adapter(self._folder, self._model, self._standing.best)
        write_settings(self._folder, self._prepared, self._recipe)
        write_predictions(self._folder, self._validator.samples, self._standing.state.texts)

    def _training(self) -> Training:
        """How the run went."""
        state, loaded, samples = self._standing.state, self._prepared.loaded, self._validator.samples
        scores = validation_scores(state.texts, samples)
        return Training(
            best_step=state.best_step,
            best=state.best,
            metric=self._recipe.validation.metric,
            figures={metric.value: score.value for metric, score in scores.items()},
            intervals={metric.value: score.between for metric, score in scores.items()},
            n=len(samples),
            unscored=unscored(state.texts, samples),
            steps=state.step,
            trainable=sum(p.numel() for p in self._stepper.parameters.values()),
            seconds=state.seconds,
            peak_bytes=state.peak_bytes,
            stopped=state.stopped,
            base=self._recipe.base,
            revision=loaded.revision,
            weights_hash=loaded.weights_hash,
            micro_batch_size=self._recipe.micro_batch_size,
            data=self._prepared.data,
            left_out=dict(self._prepared.left_out),
            hardware=Hardware.here(self._devices.device, self._devices.count),
            software=software(),
        )
