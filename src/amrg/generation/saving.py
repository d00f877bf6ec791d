"""Files that a person may edit: what amrg wrote is replaced, what was changed since is left as it is.

`written.json` in the folder has the SHA-256 of every file as amrg wrote it. A file that differs from it, or that is not
in it, belongs to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from amrg.core.files import atomic_write, write_text
from amrg.core.hashing import sha256_of_chunks, sha256_of_file
from amrg.core.values import Value

MANIFEST = "written.json"


class WrittenFile(Value):
    """A file as amrg wrote it: SHA-256 of its content, and of the document that it was written from."""

    sha256: str
    document: str


class WrittenFiles(Value):
    """Every file of a folder that amrg wrote, by name."""

    files: dict[str, WrittenFile] = Field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """The folder; files left because a person changed them; files of another document that were removed."""

    folder: Path
    edited: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def save(folder: Path, contents: Mapping[str, bytes], document: str, known: Iterable[str]) -> Saved:
    """Write files of one document, but never over a file that a person changed.

    Of the `known` names that are not written now, those of another document are removed, unless a person changed them.

    Args:
        folder: Where the files are; created where it does not exist.
        contents: What to write, by name.
        document: SHA-256 of the document that the files are written from.
        known: All names that may be written to the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = dict(_read_manifest(folder).files)
    edited, removed = [], []
    for name, content in contents.items():
        digest = sha256_of_chunks([content])
        if _is_edited(folder / name, files.get(name), digest):
            edited.append(name)
            continue
        with atomic_write(folder / name) as partial:
            partial.write_bytes(content)
        files[name] = WrittenFile(sha256=digest, document=document)
    for name in known:
        written = files.get(name)
        if name in contents or written is None or written.document == document:
            continue
        if _is_edited(folder / name, written):
            edited.append(name)
            continue
        if (folder / name).exists():
            (folder / name).unlink()
            removed.append(name)
        del files[name]
    write_text(folder / MANIFEST, [WrittenFiles(files=files).model_dump_json(indent=2)])
    return Saved(folder, tuple(edited), tuple(removed))


def _is_edited(path: Path, written: WrittenFile | None, new: str | None = None) -> bool:
    """Whether a file is there that is neither as it was written nor as it is to be written now."""
    if not path.exists():
        return False
    return sha256_of_file(path) not in (new, written.sha256 if written is not None else None)


def _read_manifest(folder: Path) -> WrittenFiles:
    """The manifest; an empty one where there is none or it is broken: then every file counts as edited."""
    try:
        return WrittenFiles.model_validate_json((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError):
        return WrittenFiles()
