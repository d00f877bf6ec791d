"""The state of a run: weights, optimiser, best adapters so far; saved in a checkpoint and restored from it."""

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
    """The state of a run, with its best adapters."""

    def __init__(self, folder: Path, recipe: Recipe, stepper: Stepper) -> None:
        """Restore the checkpoint in a run's folder, if there is one.

        Raises:
            TuningError: it is damaged, from another version of amrg, or of other parameters.
        """
        self.path = folder / checkpoints.FILE_NAME
        self.state = CheckpointState()
        self.best: dict[str, Tensor] = {}
        self._recipe, self._stepper = recipe, stepper
        found = checkpoints.load_checkpoint(self.path)
        if found is not None:
            self.state, tensors = found
            self._restore(tensors)

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        parameters, current = self._stepper.parameters, checkpoints.select_prefix("current", tensors)
        checkpoints.refuse_other_parameters(self.path, parameters, current)
        checkpoints.restore(parameters, current)
        checkpoints.restore_optimiser(
            self._stepper.optimiser, parameters, checkpoints.select_prefix("optimiser", tensors)
        )
        self.best = checkpoints.select_prefix("best", tensors)

    def update(self, **changed: Any) -> None:
        """Change fields of the state."""
        self.state = self.state.model_copy(update=changed)

    def record_validation(self, result: ValidationResult) -> None:
        """Record a validation: a new best, or one more without improvement; may set why the run ends.

        At an equal metric the lower loss is better, but a lower loss alone is not an improvement.
        """
        value, before = result.values[self._recipe.validation.metric], self.state
        improved = before.best is None or value > before.best
        if improved or (value == before.best and before.loss is not None and result.loss < before.loss):
            self.best = checkpoints.snapshot(self._stepper.parameters)
            self.update(best=value, best_step=before.step, loss=result.loss, texts=result.texts)
        self.update(stale=0 if improved else before.stale + 1)
        if before.step == self._recipe.steps:
            self.update(stopped="all steps done")
        elif self.state.stale >= self._recipe.validation.patience:
            self.update(stopped=f"no improvement in {self.state.stale} validations")

    def save(self, writes: bool) -> None:
        """Save a checkpoint. Every process calls this, because all of them gather a sharded tensor."""
        parameters = self._stepper.parameters
        tensors = {
            **checkpoints.add_prefix("current", checkpoints.to_save(parameters)),
            **checkpoints.add_prefix("optimiser", checkpoints.optimiser_state(self._stepper.optimiser, parameters)),
            **checkpoints.add_prefix("best", self.best),
        }
        if writes:
            checkpoints.save_checkpoint(self.path, self.state, tensors)
