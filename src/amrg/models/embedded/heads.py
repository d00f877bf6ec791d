"""The linear heads that read the embedded model's image features, place by place.

The language model reads image tokens; these heads read the same features. They train the tower before any language
is trained, and later locate the findings of a draft (the marks on the views).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amrg.models.embedded.attributes import ATTRIBUTES, COMPOSITIONS, KINDS


class FindingHeads(nn.Module):
    """Linear heads on the tower's features.

    `cells` reads the tower's fourth stage [B, cells, cell width]; the others read the normed image tokens
    [B, tokens, width], which are exactly what the language model's projector is given.
    """

    def __init__(self, cell_width: int, width: int) -> None:
        super().__init__()
        self.cells = nn.Linear(cell_width, len(KINDS))
        self.kinds = nn.Linear(width, len(KINDS))
        self.attributes = nn.ModuleDict({n: nn.Linear(width, len(v)) for n, v in ATTRIBUTES.items()})
        self.composition = nn.Linear(width, len(COMPOSITIONS))
        for head in (self.cells, self.kinds):
            nn.init.constant_(head.bias, -4.0)  # findings are rare: start from "nothing here"

    def token_attributes(self, tokens: Tensor) -> dict[str, Tensor]:
        """Logits of every attribute: name to [..., values]."""
        return {name: head(tokens) for name, head in self.attributes.items()}


def rms_norm(tokens: Tensor, eps: float = 1e-6) -> Tensor:
    """Root-mean-square norm over the last axis, as `Gemma3MultiModalProjector` takes it before its matrix.

    Its norm's weight is at its start there, zero, which multiplies by one.
    """
    wide = tokens.float()
    return wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
