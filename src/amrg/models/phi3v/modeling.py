"""Phi-3.5-vision: transformers' Phi-3 with images among its tokens.

Names of parameters are those of the published checkpoint, in memory as on disk.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, initialization
from transformers.modeling_outputs import BaseModelOutputWithPast, BaseModelOutputWithPooling
from transformers.models.phi3.modeling_phi3 import Phi3ForCausalLM, Phi3Model, Phi3PreTrainedModel

from amrg.models.phi3v.configuration import Phi3VConfig
from amrg.models.phi3v.image_tokens import ImageTokens
from amrg.models.phi3v.rope import LongRope


class Phi3VPreTrainedModel(Phi3PreTrainedModel):  # type: ignore[misc]  # transformers has no types
    """What transformers has to know of the family."""

    config: Phi3VConfig
    config_class = Phi3VConfig
    input_modalities = ("image", "text")
    _no_split_modules = ("Phi3DecoderLayer", "CLIPEncoderLayer")
    # Some loaders keep the embeddings twice, once as the image module's own.
    _keys_to_ignore_on_load_unexpected = (r"model\.vision_embed_tokens\.wte\.weight",)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, ImageTokens):
            initialization.zeros_(module.glb_GN)
            initialization.zeros_(module.sub_GN)


class Phi3VModel(Phi3VPreTrainedModel, Phi3Model):  # type: ignore[misc]  # as above
    """Everything but the head."""

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__(config)
        self.vision_embed_tokens = ImageTokens(config)
        if config.rope_parameters["rope_type"] == "longrope":
            self.rotary_emb = LongRope(config)
        self.post_init()

    def get_image_features(self, pixel_values: Tensor, image_sizes: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Image tokens of each image, as transformers' `generate` requests them before it begins."""
        return BaseModelOutputWithPooling(
            pooler_output=self.vision_embed_tokens(pixel_values.to(self.dtype), image_sizes)
        )

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_sizes: Tensor | None = None,
        mm_encoder_outputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """As transformers' Phi-3, with images.

        Args:
            input_ids: [B, T], `config.image_token_id` where image tokens go; never changed in place.
            pixel_values: [images, 1 + most crops, 3, size, size], those of all rows in order.
            image_sizes: [images, 2], height and width in pixels of each image once cut.
            mm_encoder_outputs: instead of both, `image` with image tokens [tokens, width] an image.
            kwargs: what Phi-3 takes.

        Raises:
            ValueError: there are more or fewer image tokens than places for them.
        """
        if kwargs.get("inputs_embeds") is None:
            encoded = (mm_encoder_outputs or {}).get("image")
            if encoded is None and pixel_values is not None and image_sizes is not None:
                encoded = self.get_image_features(pixel_values, image_sizes)
            image_tokens = None if encoded is None else torch.cat(list(encoded.pooler_output))
            kwargs["inputs_embeds"] = self._embedded(input_ids, image_tokens, kwargs.get("cache"))
        if kwargs.get("position_ids") is None:
            kwargs["position_ids"] = _positions(kwargs.get("attention_mask"), kwargs["inputs_embeds"].shape[1])
        found: BaseModelOutputWithPast = super().forward(**kwargs)
        return found

    def _embedded(self, input_ids: Any, image_tokens: Tensor | None, cache: Any) -> Tensor:
        """Embeddings [B, T, width] of tokens, image tokens in their places."""
        embeddings: Tensor = self.embed_tokens(input_ids)
        if image_tokens is None and cache is not None and cache.get_seq_length() > 0:
            return embeddings  # images are in the cache
        places = input_ids == self.config.image_token_id
        wanted, given = int(places.sum()), 0 if image_tokens is None else len(image_tokens)
        if wanted != given:
            raise ValueError(f"{wanted} places for image tokens, but {given} image tokens: pass every image named")
        if image_tokens is None:
            return embeddings
        return embeddings.masked_scatter(places[..., None], image_tokens.to(embeddings))


class Phi3VForCausalLM(Phi3VPreTrainedModel, Phi3ForCausalLM):  # type: ignore[misc]  # as above
    """The model with its head. Images are given as to `Phi3VModel`, `labels` as to any causal model."""

    def __init__(self, config: Phi3VConfig) -> None:
        super(Phi3ForCausalLM, self).__init__(config)  # past Phi-3's own, which builds a body without images
        self.model = Phi3VModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        image_sizes: Tensor | None = None,
        cache: Any = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """One step's inputs; where a row outgrows its short factors, the whole row is computed again with the long."""
        images = {"pixel_values": pixel_values, "image_sizes": image_sizes}
        if cache is not None and self._outgrown(input_ids, cache, kwargs):
            kwargs |= {"next_sequence_length": None, "is_first_iteration": True}
            cache = None
        # Past Phi-3's own as well: it looks at padded lengths, and drops the images.
        made: dict[str, Any] = super(Phi3ForCausalLM, self).prepare_inputs_for_generation(
            input_ids, cache=cache, **images, **kwargs
        )
        return made

    def _outgrown(self, input_ids: Tensor, cache: Any, kwargs: dict[str, Any]) -> bool:
        """Whether a row passes the length at which its factors change, with what is in the cache before it."""
        turn = self.config.original_max_position_embeddings
        read = cache.get_seq_length()
        if read == 0 or input_ids.shape[1] <= turn:
            return False
        mask = kwargs.get("attention_mask")
        lengths = torch.tensor([input_ids.shape[1]]) if mask is None else mask.sum(-1)
        return bool(((lengths > turn) & (lengths - (input_ids.shape[1] - read) <= turn)).any())


def _positions(mask: Tensor | None, length: int) -> Tensor | None:
    """Positions of the last `length` tokens by a mask [B, all], so that padding on either side counts for nothing."""
    if mask is None or mask.ndim != 2:
        return None
    return (mask.long().cumsum(-1) - 1).clamp_min(0)[:, -length:]


AutoConfig.register("phi3_v", Phi3VConfig, exist_ok=True)
AutoModelForCausalLM.register(Phi3VConfig, Phi3VForCausalLM, exist_ok=True)
