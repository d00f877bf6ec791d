"""Backbones, processors and checkpoints; the embedded model. Knows no training loop."""

from amrg.models.backbones.base import Asked, Backbone, Modules, Tensors, Touched, Writing
from amrg.models.backbones.registry import BACKBONES, backbone_of
from amrg.models.card import Figure, ModelCard, list_models, model_card
from amrg.models.embedded.heads import (
    ATTRIBUTES,
    COMPOSITIONS,
    KINDS,
    Place,
    SeeingHeads,
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
    as_image,
    box_from_picture,
    box_to_picture,
    frame_for,
    picture,
)

__all__ = [
    "ATTRIBUTES",
    "BACKBONES",
    "COMPOSITIONS",
    "KINDS",
    "Asked",
    "Backbone",
    "Channels",
    "Figure",
    "Hanging",
    "LoadedModel",
    "ModelCard",
    "ModelError",
    "ModelSettings",
    "Modules",
    "Place",
    "SeeingHeads",
    "Tensors",
    "Touched",
    "ViewEncoding",
    "Writing",
    "as_image",
    "attribute_values",
    "backbone_of",
    "box_from_picture",
    "box_to_picture",
    "frame_for",
    "list_models",
    "load_base",
    "load_model",
    "messages",
    "model_card",
    "picture",
    "place_in_view",
    "save_heads",
    "view_name",
]
