"""Image features that mark places, for tests without a model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from amrg.birads import Kind
from amrg.generation import ImageFeatures
from amrg.models import KINDS
from amrg.models.embedded.candidates import Candidate, Edges


def candidate(edges: Edges, probability: float, kinds: Iterable[Kind] = KINDS) -> Candidate:
    """A place with one probability for each of some kinds."""
    named = set(kinds)
    each = np.array([probability if kind in named else 0.0 for kind in KINDS], np.float32)
    return Candidate(edges, each, probability, 0.0)


def features_of(candidates: tuple[tuple[Candidate, ...], ...]) -> ImageFeatures:
    """Features of views with these candidates."""
    return ImageFeatures(candidates, 0.25)
