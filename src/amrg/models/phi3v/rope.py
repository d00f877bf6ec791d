"""Rotary positions with LongRoPE (Ding 2024) scaling: one set of factors up to 4,096 positions, another beyond."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS


class LongRope(nn.Module):
    """Cosines and sines of positions, each row of a batch scaled for its own length.

    The published code, and transformers' Phi-3, take the longest row's factors for all rows, so that the other
    studies of a batch would change a study's text. Of one row alone they give the same. There are no buffers: what
    is not stored in a checkpoint cannot be left unset by loading it.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        self._config = config
        self._turn: int = config.original_max_position_embeddings

    def forward(self, states: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines [B, T, head width] of positions [B, T], in the type of `states`."""
        short, scale = self._frequencies(1, states.device)
        long, _ = self._frequencies(self._turn + 1, states.device)
        lengths = position_ids.amax(-1)[:, None, None] + 1
        angles = position_ids[..., None].float() * torch.where(lengths > self._turn, long, short)
        angles = torch.cat((angles, angles), dim=-1)
        return (angles.cos() * scale).to(states.dtype), (angles.sin() * scale).to(states.dtype)

    def _frequencies(self, length: int, device: torch.device) -> tuple[Tensor, float]:
        """Inverse frequencies [head width / 2] of a row of `length`, and what cosines and sines are scaled by."""
        found: tuple[Tensor, float] = ROPE_INIT_FUNCTIONS["longrope"](self._config, device, seq_len=length)
        return found
