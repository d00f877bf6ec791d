"""Backbones, processors and checkpoints; the embedded model. Knows no training loop."""

from amrg.models.backbones.base import Backbone, DecodingSettings, Modules, Prompt, Tensors, TrainableModules
from amrg.models.backbones.registry import BACKBONES, backbone_of
from amrg.models.card import Figure, ModelCard, list_models, model_card
from amrg.models.embedded.heads import (
    ATTRIBUTES,
    COMPOSITIONS,
    KINDS,
    FindingHeads,
    Place,
    attribute_values,
    place_in_view,
)
from amrg.models.errors import ModelError
from amrg.models.load import LoadedModel, load_base, load_model, save_heads
from amrg.models.settings import ModelSettings, messages, view_name
from amrg.models.views import (
    Channels,
    Hanging,
    ViewEncoding,
    box_from_image,
    box_to_image,
    frame_for,
    model_image,
    to_pil,
)

__all__ = [
    "ATTRIBUTES",
    "BACKBONES",
    "COMPOSITIONS",
    "KINDS",
    "Backbone",
    "Channels",
    "DecodingSettings",
    "Figure",
    "FindingHeads",
    "Hanging",
    "LoadedModel",
    "ModelCard",
    "ModelError",
    "ModelSettings",
    "Modules",
    "Place",
    "Prompt",
    "Tensors",
    "TrainableModules",
    "ViewEncoding",
    "attribute_values",
    "backbone_of",
    "box_from_image",
    "box_to_image",
    "frame_for",
    "list_models",
    "load_base",
    "load_model",
    "messages",
    "model_card",
    "model_image",
    "place_in_view",
    "save_heads",
    "to_pil",
    "view_name",
]
