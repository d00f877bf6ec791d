"""Where a run stands: its weights, its optimiser, the best so far; kept in a checkpoint and taken up from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from amrg.training.loop import checkpoints
from amrg.training.loop.checkpoints import CheckpointState
from amrg.training.loop.stepping import Stepper
from amrg.training.loop.validating import ValidationResult
from amrg.training.recipe import Recipe


class RunState:
    """The state of a run, with the adapters that were best."""

    def __init__(self, folder: Path, recipe: Recipe, stepper: Stepper) -> None:
        """Take up the checkpoint in a run's folder, where there is one.

        Raises:
            TuningError: it is none of this version of amrg.
        """
        self.path = folder / checkpoints.FILE_NAME
        self.state = CheckpointState()
        self.best: dict[str, Tensor] = {}
        self._recipe, self._stepper = recipe, stepper
        found = checkpoints.load_checkpoint(self.path)
        if found is not None:
            self.state, tensors = found
            self._put_back(tensors)

    def _put_back(self, tensors: dict[str, Tensor]) -> None:
        parameters = self._stepper.parameters
        checkpoints.restore(parameters, checkpoints.under("now", tensors))
        checkpoints.restore_moments(self._stepper.optimiser, parameters, checkpoints.under("moments", tensors))
        self.best = checkpoints.under("best", tensors)

    def now(self, **changed: Any) -> None:
        """Change the state."""
        self.state = self.state.model_copy(update=changed)

    def saw(self, seen: ValidationResult) -> None:
        """Take in a validation: the best so far, or one more without a gain; the run may end here.

        Where the metric is as high as it was, the lower loss is the better; but a lower loss alone is no gain.
        """
        value, before = seen.values[self._recipe.validation.metric], self.state
        gained = before.best is None or value > before.best
        if gained or (value == before.best and before.loss is not None and seen.loss < before.loss):
            self.best = checkpoints.snapshot(self._stepper.parameters)
            self.now(best=value, best_step=before.step, loss=seen.loss, texts=seen.texts)
        self.now(stale=0 if gained else before.stale + 1)
        if before.step == self._recipe.steps:
            self.now(stopped="all steps were taken")
        elif self.state.stale >= self._recipe.validation.patience:
            self.now(stopped=f"no gain in {self.state.stale} validations")

    def save(self, writes: bool) -> None:
        """Keep all of it in a checkpoint. Every process calls it, because a sharded tensor is gathered by all."""
        parameters = self._stepper.parameters
        tensors = {
            **checkpoints.beneath("now", checkpoints.snapshot(parameters)),
            **checkpoints.beneath("moments", checkpoints.moments(self._stepper.optimiser, parameters)),
            **checkpoints.beneath("best", self.best),
        }
        if writes:
            checkpoints.save_checkpoint(self.path, self.state, tensors)
