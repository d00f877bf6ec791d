"""`tune`: a base, its samples and a recipe to the best adapter in a folder. The training loop of every backbone.

A folder has one run. During the run `checkpoint.safetensors` has its state; after it there is `training.json` and no
checkpoint. Called again, `tune` resumes an interrupted run, and returns the result of a finished one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from peft import PeftModel

from amrg.models.guard.pooling import pool_tokens
from amrg.models.guard.storage import Numbers
from amrg.training.callbacks import STOPPED, Callback, StepStats, peak_bytes
from amrg.training.data.collating import Padding, collate_prompts
from amrg.training.data.prepared import PreparedData
from amrg.training.data.samples import Sample
from amrg.training.errors import TuningError, training_memory_advice, translate_failures
from amrg.training.loop import checkpoints
from amrg.training.loop.distributed import DeviceGroup, to_device
from amrg.training.loop.lora import ReportLoss, adapters_attached, eval_mode, image_tokens_of, train_mode
from amrg.training.loop.run_state import RunState
from amrg.training.loop.schedule import learning_rate_at
from amrg.training.loop.stepping import Stepper
from amrg.training.loop.validating import Validator, unscored, validation_scores
from amrg.training.outputs.artifacts import (
    Hardware,
    TrainedAdapter,
    TrainingRecord,
    read_training,
    software_versions,
    write_adapter,
    write_distance,
    write_phrases,
    write_predictions,
    write_settings,
    write_training,
)
from amrg.training.outputs.logs import RunLogs
from amrg.training.outputs.run_folder import RunSpec, RunStatus, read_run, refuse_different_run, run_status, write_run
from amrg.training.outputs.summary import write_summary
from amrg.training.outputs.trackers import Trackers, run_settings
from amrg.training.recipe import Recipe

__all__ = ["TrainedAdapter", "tune"]

GUARD_STUDIES = 256
"""Training studies, at most, that the distance from them is fitted to."""
SAVE_EVERY = 120.0
"""Seconds between checkpoints, in addition to one after every validation."""


def tune(
    prepared: PreparedData, recipe: Recipe, folder: Path, callback: Callback, trackers: Trackers | None = None
) -> TrainedAdapter:
    """Train adapters on a prepared base, and write the best into `folder`; afterwards the base is unchanged.

    `trackers` get what `log.csv` and `validation.csv` get.

    Every process of a run calls it with the same arguments; only the first writes. A base that was sharded over several
    processes stays sharded, and cannot be used again.

    Raises:
        TuningError: the folder has another run or is not shared by all processes, the metric has no value, or the run
            cannot resume: a loss that is not finite, a full disk, too little memory. The last checkpoint is then
            intact, and the same call resumes from it.
    """
    run = RunSpec.of(prepared, recipe)
    refuse_different_run(folder, run)
    if run_status(folder) is RunStatus.FINISHED:
        return read_training(folder).summary(folder)
    loaded = prepared.loaded
    tower_trained = loaded.backbone.trainable_modules(loaded.model, recipe.lora.modules).tower
    failures = translate_failures(folder, training_memory_advice(recipe), partial(_what_remains, folder))
    with failures, adapters_attached(loaded, recipe) as model:
        devices = DeviceGroup(recipe, some_unused=tower_trained)
        if devices.is_main and run_status(folder) is RunStatus.NEW:
            write_run(folder, run)
        devices.wait()
        return _Run(prepared, recipe, folder, devices, model).finish(callback, trackers)


def _what_remains(folder: Path) -> str:
    """What a full disk left of a run, and how to continue."""
    step = checkpoints.read_step(folder / checkpoints.FILE_NAME)
    saved = "no checkpoint was written yet" if step is None else f"the last checkpoint is intact (step {step})"
    return f"{saved}: free some space, then resume with amrg train --resume {folder}"


def refuse_unshared_folder(folder: Path, devices: DeviceGroup, step: int) -> None:
    """Refuse processes that read different folders: each reads the checkpoint by itself, and resumes from its step.

    Raises:
        TuningError: two processes find different runs, as on local disks of two machines.
    """
    found = "no run" if run_status(folder) is RunStatus.NEW else f"a run at step {step}"
    first, *others = devices.gather([found])
    if differing := [(number, other) for number, other in enumerate(others, 1) if other != first]:
        number, other = differing[0]
        raise TuningError(
            f"{folder}: process {number} finds {other} there, process 0 {first}: "
            "set --out to a disk that all processes share"
        )


class _Run:
    """One run in progress."""

    def __init__(
        self, prepared: PreparedData, recipe: Recipe, folder: Path, devices: DeviceGroup, model: PeftModel
    ) -> None:
        self._prepared, self._recipe, self._folder = prepared, recipe, folder
        self._devices, self._model = devices, model
        self._loss = ReportLoss(model, prepared.loaded.backbone).to(devices.device)
        self._stepper = Stepper(prepared, recipe, devices, self._loss)
        self._validator = Validator(prepared, recipe)
        self._run_state = RunState(folder, recipe, self._stepper)
        refuse_unshared_folder(folder, devices, self._run_state.state.step)
        self._logs: RunLogs | None = None
        self._saved = time.monotonic()

    def finish(self, callback: Callback, trackers: Trackers | None) -> TrainedAdapter:
        """Run the remaining steps, and write the best adapter."""
        if self._devices.is_main:
            self._logs = self._open_logs(trackers)
        train_mode(self._model)
        try:
            while self._run_state.state.stopped is None:
                self._step(callback)
        finally:
            if self._logs is not None:
                self._logs.close()
        studies = self._pooled_studies()
        if self._devices.is_main:
            self._write_outputs(studies)
        self._devices.wait()
        return read_training(self._folder).summary(self._folder)

    def _open_logs(self, trackers: Trackers | None) -> RunLogs:
        if trackers is not None:
            trackers.start(self._folder, run_settings(self._recipe, self._prepared.data))
        return RunLogs(self._folder, self._recipe.steps, self._run_state.state.step, trackers)

    def _step(self, callback: Callback) -> None:
        """One step, and the validation or checkpoint that is due after it."""
        stats = self._train_step()
        validates = stats.step % self._recipe.validation.every == 0 or stats.step == stats.total_steps
        try:
            self._report(callback, stats)
        except KeyboardInterrupt:
            # The step is complete; one with a validation due is not, and several processes cannot all be asked to save.
            if not validates and self._devices.count == 1:
                self._save()
            raise
        if validates:
            self._validate(callback)
            self._save()
            if self._devices.is_main and self._run_state.state.best_step == stats.step:
                self._write_best()
        elif self._devices.broadcast(time.monotonic() - self._saved > SAVE_EVERY):
            self._save()

    def _train_step(self) -> StepStats:
        state, started = self._run_state.state, time.monotonic()
        result = self._stepper.run_step(state.step)
        seconds = time.monotonic() - started
        peak = max(state.peak_bytes, peak_bytes())
        self._run_state.update(step=state.step + 1, seconds=state.seconds + seconds, peak_bytes=peak)
        return StepStats(
            step=state.step + 1,
            total_steps=self._recipe.steps,
            loss=result.loss,
            learning_rate=learning_rate_at(self._recipe, state.step),
            grad_norm=result.grad_norm,
            cases=result.cases,
            tokens=result.tokens,
            seconds=seconds,
            peak_bytes=peak,
        )

    def _report(self, callback: Callback, stats: StepStats) -> None:
        """Log a step, in the main process only."""
        if self._logs is not None:
            self._logs.log_step(stats)
            callback.on_step(stats)

    def _validate(self, callback: Callback) -> None:
        """Validate, and decide whether the run ends here."""
        started = time.monotonic()
        result = self._validator.validate(self._loss, self._devices)
        self._run_state.record_validation(result)
        state, stops = self._run_state.state, False
        if self._logs is not None:
            values = {metric.value: value for metric, value in result.values.items()}
            self._logs.log_validation(state.step, {**values, "loss": result.loss, "unscored": result.unscored})
            stops = callback.on_validation(state.step, result.values[self._recipe.validation.metric])
        self._run_state.update(seconds=state.seconds + time.monotonic() - started)
        if self._devices.broadcast(stops) and state.stopped is None:
            self._run_state.update(stopped=STOPPED)

    def _save(self) -> None:
        """Save a checkpoint; flush the logs first, so that no row of a finished step is missing."""
        if self._logs is not None:
            self._logs.flush()
        self._run_state.save(self._devices.is_main)
        self._saved = time.monotonic()

    def _pooled_studies(self) -> list[Numbers]:
        """Pooled image tokens of training studies, spread evenly over them, as the best adapter makes them."""
        checkpoints.restore(self._stepper.parameters, self._run_state.best)
        samples = self._prepared.train[:: max(1, -(-len(self._prepared.train) // GUARD_STUDIES))]
        with eval_mode(self._loss), self._devices.unsharded(self._loss), self._devices.autocast():
            return self._devices.map_shards(samples, self._pooled)

    def _pooled(self, samples: Sequence[Sample]) -> list[Numbers]:
        """A study's pooled image tokens, one study after the other."""
        loaded, inner = self._prepared.loaded, self._model.get_base_model()
        pad = Padding.of(loaded)
        batches = (to_device(collate_prompts([s], self._prepared.features, pad), self._devices.device) for s in samples)
        return [pool_tokens(image_tokens_of(inner, loaded.backbone, batch)) for batch in batches]

    def _write_outputs(self, studies: Sequence[Numbers]) -> None:
        """Write the outputs of a finished run; `training.json` last, because it says that all others exist."""
        folder, state, samples = self._folder, self._run_state.state, self._validator.samples
        self._write_best()
        write_distance(folder, studies)
        write_phrases(folder, self._prepared)
        record = self._record()
        write_summary(folder, read_run(folder).recipe, record, samples, state.texts)
        write_training(folder, record)
        self._run_state.path.unlink(missing_ok=True)

    def _write_best(self) -> None:
        """Write the best adapter so far; it can be used for drafting before the run ends."""
        write_adapter(self._folder, self._model, self._run_state.best)
        write_settings(self._folder, self._prepared, self._recipe)
        write_predictions(self._folder, self._validator.samples, self._run_state.state.texts)

    def _record(self) -> TrainingRecord:
        state, loaded, samples = self._run_state.state, self._prepared.loaded, self._validator.samples
        scores = validation_scores(state.texts, samples)
        return TrainingRecord(
            best_step=state.best_step,
            best=state.best,
            metric=self._recipe.validation.metric,
            metrics={metric.value: score.value for metric, score in scores.items()},
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
            trained_on=self._prepared.trained_on,
            answer=loaded.settings.answer,
            without_list=self._prepared.without_list,
            references=self._prepared.references,
            skipped=dict(self._prepared.skipped),
            hardware=Hardware.here(self._devices.device, self._devices.count),
            software=software_versions(),
        )
