"""Backbones, processors and checkpoints; the embedded model. Knows no training loop.

Listed here is what needs no torch. To load a model, import `amrg.models.load`; the families are in
`amrg.models.backbones`.
"""

from amrg.models.card import ModelCard, list_models, model_card
from amrg.models.embedded.attributes import ATTRIBUTES, COMPOSITIONS, KINDS, Place, attribute_values, place_in_view
from amrg.models.errors import ModelError
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
    "COMPOSITIONS",
    "KINDS",
    "Channels",
    "Hanging",
    "ModelCard",
    "ModelError",
    "ModelSettings",
    "Place",
    "ViewEncoding",
    "attribute_values",
    "box_from_image",
    "box_to_image",
    "frame_for",
    "list_models",
    "messages",
    "model_card",
    "model_image",
    "place_in_view",
    "to_pil",
    "view_name",
]
