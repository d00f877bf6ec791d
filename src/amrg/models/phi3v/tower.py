"""The vision tower: transformers' CLIP, under the names that Phi-3.5-vision's weights have."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from amrg.models.phi3v.configuration import CROP

# openai/clip-vit-large-patch14-336. The published config.json names it but not its shape.
_VIT_L = {
    "image_size": CROP,
    "patch_size": 14,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
}


class Clip(CLIPVisionModel):  # type: ignore[misc]  # transformers has no types
    """CLIP's vision model up to the last layer but one, whose states the projector was trained on."""

    def patches(self, pixels: Tensor) -> Tensor:
        """States [crops, patches, width] of crops [crops, 3, size, size], without the class token."""
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
    """CLIP's configuration from Phi-3.5-vision's."""
    tower = config.img_processor
    return CLIPVisionConfig(
        hidden_size=tower["image_dim_out"],
        hidden_act="quick_gelu",
        attn_implementation=config._attn_implementation,
        **{key: tower.get(key, default) for key, default in _VIT_L.items()},
    )
