"""The vision tower: transformers' CLIP, under the names that Phi-3.5-vision's weights have."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from amrg.models.phi3v.configuration import CROP

# openai/clip-vit-large-patch14-336. The published config.json names it and tells nothing of its shape.
_VIT_L = {
    "image_size": CROP,
    "patch_size": 14,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
}


class Clip(CLIPVisionModel):  # type: ignore[misc]  # transformers has no types
    """CLIP's vision model up to the last layer but one, whose states the projector was taught on."""

    def patches(self, pixels: Tensor) -> Tensor:
        """States [crops, patches, width] of crops [crops, 3, size, size], the class token left out."""
        states = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder.layers[:-1]:
            states = layer(states, None)
        found: Tensor = states[:, 1:]
        return found


class Tower(nn.Module):
    """Holds CLIP as `vision_model`, a name that transformers' own CLIP no longer has."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.vision_model = Clip(tower_config(config))


def tower_config(config: Any) -> CLIPVisionConfig:
    """CLIP's configuration as Phi-3.5-vision's tells it."""
    told = config.img_processor
    return CLIPVisionConfig(
        hidden_size=told["image_dim_out"],
        hidden_act="quick_gelu",
        attn_implementation=config._attn_implementation,
        **{key: told.get(key, default) for key, default in _VIT_L.items()},
    )
