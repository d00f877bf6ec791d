"""The layers of a model compiled by torch: norms, dropout and activations fused, and computed again where that is
cheaper than to keep them. One graph serves all layers that are alike (regional compilation)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import _dynamo as dynamo
from torch._inductor.exc import InductorError
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from amrg.training.errors import TuningError

VARIANTS = 64
"""Graphs of a layer before torch would go on uncompiled without a word: kinds of attention, with and without a mask,
one sample or several, with and without a gradient."""


@contextmanager
def compiled(model: PreTrainedModel) -> Iterator[None]:
    """The layers of a model, in place, are compiled for a while, each graph when it is first needed.

    Raises:
        TuningError: torch can make no graph or no kernel of them here, as without a C++ compiler.
    """
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    for layer in layers:
        layer.compile(dynamic=True)
    model.enable_input_require_grads()  # the first layer's input wants a gradient as all others' do: a graph fewer
    try:
        with dynamo.config.patch(recompile_limit=VARIANTS):
            yield
    except (InductorError, dynamo.exc.TorchDynamoException) as error:
        told = str(error).strip().splitlines()[0]
        raise TuningError(
            f"torch_compile=true: torch could not compile the model's layers ({told}): "
            "install what it names, or set torch_compile=false, then resume"
        ) from error
    finally:
        model.disable_input_require_grads()
        for layer in layers:
            layer._compiled_call_impl = None  # torch has no word for undoing `compile`
        dynamo.reset()
