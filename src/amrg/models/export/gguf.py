"""GGUF by llama.cpp's own converter: amrg runs it on a merged export and checks its output.

The authors of llama.cpp maintain no package of it in step with the code, so amrg depends on none: the user names a
checkout of llama.cpp, and its `convert_hf_to_gguf.py` runs as a separate program.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

from amrg.core.values import Value
from amrg.models.errors import ModelError

SCRIPT = "convert_hf_to_gguf.py"
_MAGIC = b"GGUF"
PARTS = {"model.gguf": (), "mmproj.gguf": ("--mmproj",)}
"""The language model, and the tower with its projector: llama.cpp needs two files."""


class Converted(Value):
    """A converted file, and the number of tensors in its header."""

    file: str
    tensors: int


def refuse_no_converter(llama_cpp: Path) -> None:
    """Refuse a folder without the converter.

    Raises:
        ModelError: there is none.
    """
    if not (llama_cpp / SCRIPT).is_file():
        raise ModelError(f"{llama_cpp}: has no {SCRIPT}; name a checkout of llama.cpp (github.com/ggml-org/llama.cpp)")


def to_gguf(folder: Path, llama_cpp: Path) -> tuple[Converted, ...]:
    """Convert a merged export; the files go into its folder.

    Raises:
        ModelError: the converter is missing or fails (with its last line), or its output is not GGUF.
    """
    refuse_no_converter(llama_cpp)
    return tuple(_convert(folder, llama_cpp, name, options) for name, options in PARTS.items())


def _convert(folder: Path, llama_cpp: Path, name: str, options: tuple[str, ...]) -> Converted:
    partial = folder / f"{name}.partial"
    command = [sys.executable, str(llama_cpp / SCRIPT), str(folder), "--outfile", str(partial), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # llama.cpp adds a prefix to the name of the second file.
    prefixed = folder / f"mmproj-{partial.name}"
    if prefixed.is_file():
        prefixed.replace(partial)
    try:
        if done.returncode or not partial.is_file():
            reason = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise ModelError(f"{SCRIPT} failed on {folder.name} ({reason}); its README lists the packages it needs")
        converted = Converted(file=name, tensors=read_header(partial))
        partial.replace(folder / name)
        return converted
    finally:
        partial.unlink(missing_ok=True)


def read_header(file: Path) -> int:
    """The number of tensors of a GGUF file (first 24 bytes: magic, version, tensors, keys; little-endian).

    Raises:
        ModelError: the file is not GGUF, or has no tensor.
    """
    with file.open("rb") as stream:
        head = stream.read(24)
    if len(head) < 24 or not head.startswith(_MAGIC):
        raise ModelError(f"{file.name}: not a GGUF file; this converter's format is unknown to amrg, convert by hand")
    count = int(struct.unpack("<IQQ", head[4:])[1])
    if count == 0:
        raise ModelError(f"{file.name}: has no tensor; the converter does not support this model")
    return count
