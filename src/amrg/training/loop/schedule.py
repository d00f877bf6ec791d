"""How the learning rate goes: a function of the step alone, so that a resumed run has no state of it to restore."""

from __future__ import annotations

import math

from amrg.training.recipe import LrScheduler, Recipe


def learning_rate_at(recipe: Recipe, step: int) -> float:
    """Learning rate of a step, counted from 0: linear warm-up over a share of the steps, then constant or to zero."""
    warm_up = math.ceil(recipe.warmup_ratio * recipe.steps)
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / (recipe.steps - warm_up)
    return recipe.learning_rate * _left(recipe.lr_scheduler, done)


def _left(decay: LrScheduler, done: float) -> float:
    """Share of the highest rate that is left when a share of the way after the warm-up is done."""
    if decay is LrScheduler.CONSTANT:
        return 1.0
    if decay is LrScheduler.LINEAR:
        return 1.0 - done
    return 0.5 * (1.0 + math.cos(math.pi * done))
