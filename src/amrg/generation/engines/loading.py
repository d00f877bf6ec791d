"""The engine of a model by its name. Loads no model library until a model is loaded."""

from __future__ import annotations

from importlib import import_module

from amrg.birads import AnswerForm
from amrg.generation.engines.base import Engine


def load_engine(model: str | None = None, max_batch: int = 1, answer: AnswerForm | None = None) -> Engine:
    """The engine of a model on this machine, named by folder or hub name; None is the embedded one.

    `answer` is the form that is requested of it; None: that of its settings.

    Raises:
        ModelError: the model is missing, gated or of no family that amrg knows; the guard's file is damaged.
    """
    local = import_module("amrg.generation.engines.local")  # torch and transformers, seconds of import
    engine: Engine = local.load_engine(model, max_batch, answer)
    return engine
