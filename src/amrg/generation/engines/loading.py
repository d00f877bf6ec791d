"""The engine of a model by its name. Loads no model library until a model needs it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from amrg.birads import AnswerForm
from amrg.generation.engines.base import Engine
from amrg.models.checkpoint import EMBEDDED, GRAPH, NAME


def load_engine(model: str | None = None, max_batch: int = 1, answer: AnswerForm | None = None) -> Engine:
    """The engine of a model on this machine, named by folder or hub name; None is the embedded one.

    `answer` is the form that is requested of it; None: that of its settings.

    Raises:
        ModelError: the model is missing, gated or of no family that amrg knows; the guard's file is damaged.
    """
    folder = EMBEDDED if model in (None, NAME) else Path(str(model))
    if (folder / GRAPH).is_file():
        return _of("graph").load_graph_engine(folder, answer)  # type: ignore[no-any-return]
    return _of("local").load_engine(model, max_batch, answer)  # type: ignore[no-any-return]


def _of(provider: str) -> Any:
    """The module of a kind of engine: onnxruntime's, or torch and transformers with their seconds of import."""
    return import_module(f"amrg.generation.engines.{provider}")
