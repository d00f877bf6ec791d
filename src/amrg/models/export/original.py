"""Known answers of a model that was not tuned here, so that a server of it can be asked for proof."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from amrg.models.adapters.files import is_adapter
from amrg.models.errors import ModelError
from amrg.models.export.knowing import known_answers_of
from amrg.models.export.vllm import merged_obstacles, serve_original_command
from amrg.models.known_answers import FILE_NAME, KnownAnswers, read_known_answers
from amrg.models.load import load_base


@dataclass(frozen=True)
class OriginalAnswers:
    """Known answers in a folder; how vLLM serves the model, None where it cannot; lines for the user."""

    known: KnownAnswers
    folder: Path
    serve: str | None
    warnings: tuple[str, ...]


def write_original_answers(model: str, folder: Path) -> OriginalAnswers:
    """Ask a model, a folder or a hub name, what it answers, and write that into a folder without its weights.

    Raises:
        ModelError: it cannot be loaded, is an adapter, or the folder has the known answers of another model.
        OSError: the folder cannot be written.
    """
    if is_adapter(Path(model)):
        raise ModelError(f"model {model}: an adapter; `amrg export` leaves its known answers beside what it exports")
    loaded = load_base(model)
    weights = loaded.weights_id
    if weights is None:
        raise ModelError(f"model {model}: its hub commit is unknown, so that nothing says which weights are known")
    if (folder / FILE_NAME).is_file() and (found := read_known_answers(folder)).weights != weights:
        raise ModelError(
            f"{folder / FILE_NAME}: those of another model ({found.name}, {found.weights[:12]}); name another folder"
        )
    source = loaded.source if loaded.folder is None else str(loaded.folder.resolve())
    known = known_answers_of(loaded, weights).model_copy(update={"source": source})
    folder.mkdir(parents=True, exist_ok=True)
    known.save(folder)
    obstacles = merged_obstacles(loaded)
    made = OriginalAnswers(known, folder, serve_original_command(known), (*loaded.notes, *obstacles))
    return replace(made, serve=None) if obstacles else made
