"""GGUF by llama.cpp's own converter, which its users have: amrg runs it on a merged export and reads what it wrote.

No package of the registry is kept up with llama.cpp by its authors under their name, so none is depended on: a checkout
of llama.cpp is named, and its `convert_hf_to_gguf.py` is run as a program of its own.
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
"""The language model, and the tower with its projector: llama.cpp takes them as two files."""


class Converted(Value):
    """A GGUF file that was written: how many tensors its header counts."""

    file: str
    tensors: int


def refuse_no_converter(llama_cpp: Path) -> None:
    """Refuse a folder without the converter.

    Raises:
        ModelError: there is none.
    """
    if not (llama_cpp / SCRIPT).is_file():
        raise ModelError(
            f"{llama_cpp}: holds no {SCRIPT}; name a checkout of llama.cpp (github.com/ggml-org/llama.cpp)"
        )


def to_gguf(folder: Path, llama_cpp: Path) -> tuple[Converted, ...]:
    """Convert a merged export, and write the files into its folder.

    Raises:
        ModelError: the converter is not there or fails, with its last line, or what it wrote is no GGUF.
    """
    refuse_no_converter(llama_cpp)
    return tuple(_convert(folder, llama_cpp, name, options) for name, options in PARTS.items())


def _convert(folder: Path, llama_cpp: Path, name: str, options: tuple[str, ...]) -> Converted:
    partial = folder / f"{name}.partial"
    command = [sys.executable, str(llama_cpp / SCRIPT), str(folder), "--outfile", str(partial), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # llama.cpp marks the second file by a prefix of its own.
    marked = folder / f"mmproj-{partial.name}"
    if marked.is_file():
        marked.replace(partial)
    try:
        if done.returncode or not partial.is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise ModelError(f"{SCRIPT} failed on {folder.name} ({said}); its README lists what it needs installed")
        converted = Converted(file=name, tensors=read_header(partial))
        partial.replace(folder / name)
        return converted
    finally:
        partial.unlink(missing_ok=True)


def read_header(file: Path) -> int:
    """How many tensors a GGUF file holds (its first 24 bytes: magic, version, tensors, keys; little-endian).

    Raises:
        ModelError: the file is no GGUF, or holds no tensor.
    """
    with file.open("rb") as stream:
        head = stream.read(24)
    if len(head) < 24 or not head.startswith(_MAGIC):
        raise ModelError(f"{file.name}: is no GGUF file; the converter and amrg do not agree, convert it by hand")
    count = int(struct.unpack("<IQQ", head[4:])[1])
    if count == 0:
        raise ModelError(f"{file.name}: holds no tensor; the converter does not know this model")
    return count
