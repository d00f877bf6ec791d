"""`torch.compile` of a model's layers: norms, dropout and activations are fused, and recomputed where that is cheaper
than storing them. Layers of the same kind share one graph (regional compilation)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import _dynamo as dynamo
from torch._inductor.exc import InductorError
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from amrg.training.errors import TuningError

VARIANTS = 64
"""Maximum graphs of a layer; beyond it torch silently runs uncompiled. They differ in attention kind, mask, one sample
or several, and gradient."""


@contextmanager
def compiled_layers(model: PreTrainedModel) -> Iterator[None]:
    """Within the context the layers of a model are compiled in place, each graph at its first use.

    Raises:
        TuningError: torch cannot compile them here, as without a C++ compiler.
    """
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    for layer in layers:
        layer.compile(dynamic=True)
    model.enable_input_require_grads()  # the first layer's input needs a gradient like all others: one graph fewer
    try:
        with dynamo.config.patch(recompile_limit=VARIANTS):
            yield
    except (InductorError, dynamo.exc.TorchDynamoException) as error:
        reason = str(error).strip().splitlines()[0]
        raise TuningError(
            f"torch_compile=true: torch could not compile the model's layers ({reason}): "
            "install what is missing, or set torch_compile=false, then resume"
        ) from error
    finally:
        model.disable_input_require_grads()
        for layer in layers:
            layer._compiled_call_impl = None  # torch has no public way to undo `compile`
        dynamo.reset()
