"""The folder of a checkpoint: where the embedded one is, its files of weights, their hash. Loads no model library."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from amrg.core.hashing import sha256_of_file, sha256_of_text

NAME = "amrg-embedded"
EMBEDDED = Path(__file__).parent / "embedded" / "checkpoint"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
GRAPH = "tower.onnx"
"""The vision tower and the projector for ONNX Runtime, where a checkpoint has them so."""


def weight_files(folder: Path) -> list[Path]:
    """The files of weights in order: an adapter's, or a checkpoint's shards or single file; no others of the folder."""
    adapted = (folder / ADAPTER_CONFIG).is_file()
    if not adapted and (folder / INDEX).is_file():
        named = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        return [folder / name for name in sorted(set(named))]
    file = folder / (ADAPTER if adapted else SINGLE)
    return [file] if file.is_file() else []


def folder_hash(folder: Path) -> str:
    """SHA-256 over the weight files of a folder: of what they hold, not of their names.

    Files beside them are not in it: weights stay those that an adapter was trained on when the guard's is removed.
    """
    return sha256_of_text(*sorted(file_hash(file) for file in weight_files(folder)))


def file_hash(file: Path) -> str:
    """SHA-256 of a file of weights, computed once a process while its size and time stay."""
    found = file.stat()
    return _file_hash(file, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=32)
def _file_hash(file: Path, size: int, changed_ns: int) -> str:
    """SHA-256 of a file; size and time tell a file that was replaced from the one hashed before."""
    return sha256_of_file(file)
