"""`manifest.json`: all that decides what a run writes. A folder holds one run, and says which."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from amrg import __version__
from amrg.benchmark.layout import MANIFEST, STORED
from amrg.core.files import write_text
from amrg.core.values import Value, flatten
from amrg.generation import Engine
from amrg.metrics.errors import BenchmarkError

SCHEMA = 1


class ModelUsed(Value):
    """The model: `weights` is the SHA-256 of its files, or the hub's commit where it lies in the hub's cache."""

    name: str
    weights: str | None
    device: str
    dtype: str


class DataUsed(Value):
    """A part of a split: `hash` is of the cases as scored, the others those of the data set's and the split's files."""

    name: str
    split: str | None
    part: str | None
    n: int
    hash: str
    dataset_hash: str
    split_hash: str


class TrainingUsed(Value):
    """The cases that baselines learned from."""

    n: int
    hash: str


class PromptUsed(Value):
    """How the model is asked: its settings, the chat template's hash, whose words are scored, and a hash of all."""

    settings: dict[str, Any]
    chat_template: str | None
    words: str
    decoding: str = "greedy"
    hash: str


def versions() -> dict[str, str]:
    """Versions of all that a prediction depends on."""
    return {
        "amrg": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "pillow", "pydicom", "scipy", "torch", "transformers")},
    }


class Manifest(Value):
    """What was run. Two runs with equal manifests, `command` left out, write the same predictions."""

    schema_version: int = SCHEMA
    command: str
    system: str
    model: ModelUsed
    data: DataUsed
    training: TrainingUsed
    prompt: PromptUsed
    pictures: int
    seed: int
    batch: int = 1
    versions: dict[str, str] = Field(default_factory=versions)


def describe_model(engine: Engine) -> ModelUsed:
    """The model that an engine holds."""
    loaded = engine.loaded
    commit = getattr(loaded.model.config, "_commit_hash", None)
    return ModelUsed(
        name=loaded.name,
        weights=loaded.weights_hash or commit,
        device=loaded.model.device.type,
        dtype=str(loaded.model.dtype).removeprefix("torch."),
    )


def describe_prompt(engine: Engine, words: str) -> PromptUsed:
    """How an engine asks its model, and whose words are scored."""
    settings = engine.loaded.settings.model_dump(mode="json")
    template = getattr(engine.loaded.processor, "chat_template", None)
    pinned = None if template is None else _hash(template)
    return PromptUsed(
        settings=settings,
        chat_template=pinned,
        words=words,
        hash=_hash(json.dumps([settings, pinned, words], sort_keys=True)),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def open_run_folder(folder: Path, manifest: Manifest) -> None:
    """Make the folder of a run, or enter it again to go on.

    Raises:
        BenchmarkError: another run lies there; says where the two differ.
    """
    path = folder / MANIFEST
    if path.is_file():
        _refuse_other(path, manifest)
        return
    if (folder / STORED).exists():
        raise BenchmarkError(f"{folder}: found {STORED} without {MANIFEST}; name an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, [manifest.model_dump_json(indent=2)])


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder.

    Raises:
        BenchmarkError: there is none, or it is none of this version.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror}); expected a folder of a run") from error
    except ValidationError as error:
        raise BenchmarkError(f"{path}: no manifest of schema {SCHEMA} ({error.error_count()} fields differ)") from error


def _refuse_other(path: Path, manifest: Manifest) -> None:
    """Refuse a folder whose manifest differs in anything but the command."""
    there, asked = (
        dict(flatten(m.model_dump(mode="json", exclude={"command"}))) for m in (load_manifest(path.parent), manifest)
    )
    differing = [name for name in sorted(there.keys() | asked.keys()) if there.get(name) != asked.get(name)]
    if differing:
        told = "; ".join(f"{name} is {there.get(name)!r}, asked for {asked.get(name)!r}" for name in differing[:3])
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise BenchmarkError(
            f"{path}: {told}{more}: another run lies there; name an empty folder, or ask for the same run again"
        )
