"""The supported families, by the `model_type` of a configuration."""

from __future__ import annotations

from amrg.models.backbones.base import Backbone
from amrg.models.backbones.gemma3 import Gemma3
from amrg.models.backbones.phi3 import Phi3Vision
from amrg.models.backbones.qwen import Qwen2_5VL, Qwen3VL
from amrg.models.backbones.smolvlm import SmolVLM

BACKBONES: tuple[Backbone, ...] = (Gemma3(), Qwen2_5VL(), Qwen3VL(), Phi3Vision(), SmolVLM())


def backbone_of(model_type: str) -> Backbone | None:
    """The family of a configuration; None if amrg does not support it."""
    return next((b for b in BACKBONES if model_type in b.model_types), None)
