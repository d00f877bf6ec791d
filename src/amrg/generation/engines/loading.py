"""The engine of a model by its name. Loads no model library, and no client of a server, until one is needed."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from amrg.birads import AnswerForm
from amrg.core.errors import AmrgError
from amrg.generation.engines.base import Engine
from amrg.models.checkpoint import EMBEDDED, GRAPH, NAME
from amrg.models.errors import ModelError
from amrg.models.known_answers import read_known_answers
from amrg.models.thread_count import SMALL, stored_parameters

LOCAL, VLLM, OPENAI = "local", "vllm", "openai:"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class EngineNameError(AmrgError):
    """A name of an engine that amrg does not have, or that lacks something."""


def load_engine(
    model: str | None = None, max_batch: int | None = None, answer: AnswerForm | None = None, engine: str = LOCAL
) -> Engine:
    """The engine of a model, named by folder or hub name; None is the embedded one.

    `engine` is `local` (this machine: transformers, or onnxruntime for a model with exported graphs), `vllm` (this
    process), or `openai:URL` (a server, which `amrg model check` must have measured). `answer` is the form that is
    requested of it; None: that of its settings. `max_batch` None: as many studies together as suit the engine.

    Raises:
        EngineNameError: there is no such engine, or no model is named that it could run.
        ModelError: the model is missing, gated or of no family that amrg knows; the guard's file is damaged; a server
            serves another model, or is not trusted.
    """
    if engine != LOCAL:
        other = connect(engine, model, max_batch, answer)
        if engine.startswith(OPENAI):
            _of("agreement").refuse_untrusted(engine, other)
        return other
    if (folder := _graph_folder(model)) is not None:
        drafting = _of("graph").load_graph_engine(folder, answer)
        why = "--batch-size has no effect on a model with a graph, which drafts one study after another"
        return replace(drafting, notes=(why,)) if max_batch is not None else drafting  # type: ignore[no-any-return]
    return _of("local").load_engine(model, max_batch or 1, answer)  # type: ignore[no-any-return]


def works_in_one_thread(engine: str, model: str | None) -> bool:
    """Whether an engine leaves all cores but one to others: a graph does, and a small model on the processor."""
    if engine != LOCAL or _graph_folder(model) is not None:
        return engine == LOCAL
    parameters = stored_parameters(str(model))
    if parameters is None or parameters >= SMALL:
        return False
    return not import_module("torch").cuda.is_available()


def _graph_folder(model: str | None) -> Path | None:
    """The folder of a model with an exported graph; None of one without."""
    folder = EMBEDDED if model in (None, NAME) else Path(str(model))
    return folder if (folder / GRAPH).is_file() else None


def connect(engine: str, model: str | None, max_batch: int | None = None, answer: AnswerForm | None = None) -> Engine:
    """An engine other than the local one, proven by its known answers, whether or not its agreement was measured.

    Raises:
        EngineNameError: there is no such engine, or no model is named that it could run.
        ModelError: as for `load_engine`.
    """
    refuse_engine_name(engine, model)
    known = read_known_answers(Path(str(model)))
    if engine == VLLM:
        return _of("vllm_engine").load(str(model), known, max_batch, answer)  # type: ignore[no-any-return]
    url = engine.removeprefix(OPENAI)
    return _of("openai_engine", "openai").connect(url, known, max_batch, answer)  # type: ignore[no-any-return]


def refuse_engine_name(engine: str, model: str | None) -> None:
    """Refuse what is no engine before anything is loaded.

    Raises:
        EngineNameError: says what is expected.
    """
    if engine not in (LOCAL, VLLM) and not engine.startswith(OPENAI):
        raise EngineNameError(f"engine is {engine!r}; expected {LOCAL}, {VLLM} or {OPENAI}URL")
    if engine != LOCAL and model is None:
        raise EngineNameError(
            f"engine {engine.partition(':')[0]} needs a model: the folder of an export (`amrg export`), or of "
            "`amrg model known-answers`; the embedded model runs on the local engine only"
        )


def refuse_missing(engine: str, model: str | None) -> None:
    """Refuse what cannot be loaded as far as this machine knows: no model is loaded, and nobody is asked.

    Raises:
        EngineNameError: there is no such engine, or no model is named that it could run.
        ModelError: the model's folder, its known answers or the client library, where they are needed, are not there.
    """
    refuse_engine_name(engine, model)
    if engine != LOCAL:
        read_known_answers(Path(str(model)))
        if engine.startswith(OPENAI):
            _of("openai_engine", "openai")
    elif model not in (None, NAME) and not Path(str(model)).is_dir() and not _HUB_NAME.fullmatch(str(model)):
        raise ModelError(f"model {model}: no such folder; expected one, or a hub's name such as someone/model")


def _of(provider: str, library: str = "") -> Any:
    """The module of a kind of engine, with the library that it is made for.

    Raises:
        ModelError: the library is optional, and not installed.
    """
    try:
        return import_module(f"amrg.generation.engines.{provider}")
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise ModelError(
            f"--engine {library} needs the library {library}, which is not installed; docs/serving.md says how to"
        ) from error
