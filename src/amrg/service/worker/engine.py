"""The engine that the settings name, and what is missing for it."""

from __future__ import annotations

from amrg.core.errors import AmrgError
from amrg.generation import Engine
from amrg.generation.engines.fixed import FixedEngine
from amrg.generation.engines.loading import LOCAL, OPENAI, load_engine, refuse_missing
from amrg.service.settings import Settings

FIXED = "fixed"
"""The name of the engine that writes a constant text: for trying the service without a model."""


def load(model: str | None, engine: str = LOCAL) -> Engine:
    """The engine of a model by its folder or name, None for the embedded one; `engine` is where it runs.

    Raises:
        EngineNameError: there is no such engine, or none that runs this model.
        ModelError: the model is missing or cannot be used, or a server is not trusted with it.
        ServerLost: the server does not answer.
    """
    return FixedEngine() if model == FIXED and engine == LOCAL else load_engine(model, engine=engine)


def missing_engine(settings: Settings) -> str:
    """What the settings lack for their engine, as far as this machine knows; empty where nothing is."""
    if settings.model == FIXED and settings.engine == LOCAL:
        return ""
    try:
        refuse_missing(settings.engine, settings.model)
    except AmrgError as error:
        return str(error)
    return ""


def refused_server(settings: Settings) -> str:
    """Why the server that the settings name may not draft; empty where it may, or none is named."""
    try:
        if settings.engine.startswith(OPENAI):
            load(settings.model, settings.engine)
    except AmrgError as error:
        return f"engine: {error}"
    return ""
