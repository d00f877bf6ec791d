"""The learning rate as a function of the step only, so a resumed run has no scheduler state to restore."""

from __future__ import annotations

import math

from amrg.training.recipe import LrScheduler, Recipe


def learning_rate_at(recipe: Recipe, step: int) -> float:
    """Learning rate of a step, counted from 0: linear warm-up, then constant or decaying to zero."""
    warmup_steps = math.ceil(recipe.warmup_ratio * recipe.steps)
    if step < warmup_steps:
        return recipe.learning_rate * (step + 1) / warmup_steps
    done = (step - warmup_steps) / (recipe.steps - warmup_steps)
    return recipe.learning_rate * _decay(recipe.lr_scheduler, done)


def _decay(scheduler: LrScheduler, done: float) -> float:
    """The learning rate as a share of the peak, when the share `done` of the steps after warm-up is over."""
    if scheduler is LrScheduler.CONSTANT:
        return 1.0
    if scheduler is LrScheduler.LINEAR:
        return 1.0 - done
    return 0.5 * (1.0 + math.cos(math.pi * done))
