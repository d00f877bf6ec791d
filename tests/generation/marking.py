"""Image features that mark places, for tests without a model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from amrg.birads import Kind
from amrg.generation import ImageFeatures
from amrg.models import KINDS
from amrg.models.embedded.candidates import Candidate, Edges
from amrg.models.embedded.guard import Guard


def candidate(edges: Edges, probability: float, kinds: Iterable[Kind] = KINDS) -> Candidate:
    """A place with one probability for each of some kinds."""
    named = set(kinds)
    each = np.array([probability if kind in named else 0.0 for kind in KINDS], np.float32)
    return Candidate(edges, each, probability, 0.0)


def features_of(
    candidates: tuple[tuple[Candidate, ...], ...], distance: float = 0.0, guard: Guard | None = None
) -> ImageFeatures:
    """Features of views with these candidates, at a distance from a guard's mean of two zeros."""
    return ImageFeatures(candidates, 0.25, np.full((len(candidates), 2), distance), guard)
