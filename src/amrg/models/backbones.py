"""The families that amrg knows, by the `model_type` of a configuration."""

from __future__ import annotations

from amrg.models.backbone import Backbone
from amrg.models.gemma3 import Gemma3

BACKBONES: tuple[Backbone, ...] = (Gemma3(),)


def backbone_of(model_type: str) -> Backbone | None:
    """The family of a configuration, None where it is none that amrg knows."""
    return next((b for b in BACKBONES if model_type in b.model_types), None)
