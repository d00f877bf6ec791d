"""What two runs are compared by: the state of a model, weights that differ by rounding alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def state_of(model: nn.Module) -> dict[str, object]:
    """All of a model that a run could leave changed."""
    return {
        "modules": [(name, type(module), module.training) for name, module in model.named_modules()],
        "parameters": [(name, p.requires_grad) for name, p in model.named_parameters()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        "checkpointed": [getattr(m, "gradient_checkpointing", None) for m in model.modules()],
    }


def same_but_rounded(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """The same trained weights but for rounding, among them such as training has moved by 1e-3 and more.

    Adam divides a gradient by its own size, so that a weight whose gradient is rounding and nothing else may go either
    way by the whole learning rate. Such weights are few: all but one in a thousand are the same to 1e-5.
    """
    assert found.keys() == wanted.keys()
    assert max(t.abs().max() for name, t in wanted.items() if "lora_B" in name) > 1e-3
    apart = torch.cat([(found[name] - tensor).abs().flatten() for name, tensor in wanted.items()])
    assert (apart > 1e-5).sum() <= len(apart) / 1000
    assert apart.isfinite().all()
