"""SHA-256 of texts, lines and files, as lower-case hexadecimal digits.

Digits sort as the bytes do, so a digest is also a reproducible sort key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256_of_chunks(chunks: Iterable[bytes]) -> str:
    """SHA-256 of bytes that arrive in chunks."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def sha256_of_text(*parts: str) -> str:
    """SHA-256 of a text in UTF-8; several parts are joined by line feeds. A file name that is no UTF-8 is its bytes."""
    return sha256_of_chunks(["\n".join(parts).encode(errors="surrogateescape")])


def sha256_of_lines(lines: Iterable[str]) -> str:
    """SHA-256 of lines in UTF-8, a line feed after each; file names as in `sha256_of_text`."""
    return sha256_of_chunks(line.encode(errors="surrogateescape") + b"\n" for line in lines)


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
