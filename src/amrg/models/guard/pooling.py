"""What of a model's image tokens its distance from the training images is measured by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from amrg.models.backbones.base import Tensors
from amrg.models.guard.storage import Numbers


def pool_tokens(image_tokens: Sequence[Tensors]) -> Numbers:
    """Image tokens of a study, as `Backbone.image_tokens` gives them, to their means [images, width]."""
    means = [image["tokens"].float().flatten(0, -2).mean(0) for image in image_tokens]
    pooled: Numbers = torch.stack(means).double().cpu().numpy()
    return np.asarray(pooled, np.float64)
