"""The configuration of Phi-3.5-vision, read from `config.json` as published and written back in the same form."""

from __future__ import annotations

from typing import Any

from transformers import Phi3Config

from amrg.models.errors import ModelError

CROP = 336
"""Pixels a side of the input of CLIP ViT-L/14-336."""

# Where the published class of each kind lives. amrg never runs that code: the names are for engines that do.
_HOME = "microsoft/Phi-3.5-vision-instruct--"
_CLASSES = {
    "AutoConfig": _HOME + "configuration_phi3_v.Phi3VConfig",
    "AutoModelForCausalLM": _HOME + "modeling_phi3_v.Phi3VForCausalLM",
}
_HD = {"use_hd_transform": True, "with_learnable_separator": True, "hd_transform_order": "sub_glb"}


def _published_tower() -> dict[str, Any]:
    return {
        "name": "clip_vision_model",
        "model_name": "openai/clip-vit-large-patch14-336",
        "image_dim_out": 1024,
        "num_img_tokens": 144,
    }


class Phi3VConfig(Phi3Config):  # type: ignore[misc]  # transformers has no types
    """Phi-3's configuration with two parts more.

    `img_processor` names the CLIP tower; in addition to the published keys, `image_size`, `patch_size`,
    `intermediate_size`, `num_attention_heads` and `num_hidden_layers` may make it another than ViT-L/14-336.
    `embd_layer` says how images become tokens; only the published way is known. `image_token_id` marks the places of
    image tokens (`<|image|>`); the published processor writes negative numbers there, which no tokenizer reads back.
    """

    model_type = "phi3_v"

    img_processor: dict[str, Any] | None = None
    embd_layer: dict[str, Any] | None = None
    image_token_id: int = 32044

    def __post_init__(self, **kwargs: Any) -> None:
        self.img_processor = {**_published_tower(), **(self.img_processor or {})}
        self.embd_layer = {"embedding_cls": "image", "projection_cls": "mlp", **_HD, **(self.embd_layer or {})}
        if (kwargs.get("rope_scaling") or {}).get("type") == "su":
            # As transformers has it, in a dictionary of our own, for transformers writes into it.
            stretched = self.max_position_embeddings / self.original_max_position_embeddings
            kwargs["rope_scaling"] = {**kwargs["rope_scaling"], "type": "longrope", "factor": stretched}
        # The published file requires flash attention, which few machines have; the caller chooses.
        kwargs.pop("_attn_implementation", None)
        super().__post_init__(**kwargs)
        _refuse_other(self.img_processor, {"name": "clip_vision_model", "layer_idx": -2, "type_feature": "patch"})
        _refuse_other(self.embd_layer, {"projection_cls": "mlp", **_HD})

    @property
    def crop_size(self) -> int:
        """Pixels a side of a crop: 336."""
        assert self.img_processor is not None  # filled on creation
        return int(self.img_processor.get("image_size", CROP))

    def to_dict(self) -> dict[str, Any]:
        """As published: scaling under `rope_scaling` of type `su`, which the published code expects."""
        document: dict[str, Any] = super().to_dict()
        rope = document.get("rope_parameters") or {}
        if rope.get("rope_type") == "longrope":
            del document["rope_parameters"]
            factors = {key: rope[key] for key in ("long_factor", "short_factor")}
            document |= {"rope_scaling": {**factors, "type": "su"}, "rope_theta": rope["rope_theta"]}
        return document | {"auto_map": dict(_CLASSES)}


def _refuse_other(part: dict[str, Any], known: dict[str, Any]) -> None:
    """Refuse a variant that there is no code for, before it is loaded as something else."""
    for key, expected in known.items():
        if part.get(key, expected) != expected:
            raise ModelError(
                f"config.json: {key} is {part[key]!r}; expected {expected!r} as Phi-3.5-vision has it: amrg knows no "
                "other way; take a checkpoint of that layout"
            )
