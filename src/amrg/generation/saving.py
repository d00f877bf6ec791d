"""Files that a person may edit: what amrg wrote is replaced, what was changed since is left as it is.

`written.json` in the folder has the SHA-256 of every file as amrg wrote it. A file that differs from it, or that is not
in it, belongs to a person. It is written before the files, with what they are to become, and after them, so that a run
that is killed in between leaves nothing that looks edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field, ValidationError

from amrg.core.files import atomic_write, write_text
from amrg.core.hashing import sha256_of_chunks, sha256_of_file
from amrg.core.values import Value
from amrg.imaging.containers import DRAFT_MANIFEST


class WrittenFile(Value):
    """A file as amrg wrote it: SHA-256 of its content, and of the document that it was written from."""

    sha256: str
    document: str


class WrittenFiles(Value):
    """Every file of a folder that amrg wrote, by name, and whose they are.

    `owner` is the patient key of the study. `replacing` are files that a run was about to write: where it was killed,
    each is as in `files` or as in `replacing`.
    """

    owner: str = ""
    files: dict[str, WrittenFile] = Field(default_factory=dict)
    replacing: dict[str, WrittenFile] = Field(default_factory=dict)


@dataclass(frozen=True)
class WrittenFrom:
    """What files are written from: its SHA-256, and the key of its patient."""

    sha256: str
    owner: str = ""


@dataclass(frozen=True)
class Saved:
    """The folder; files left because a person changed them; files of another document that were removed.

    `document` is the SHA-256 of what the files are written from, empty where none are to be. `written` are the names of
    those that were: none where a person changed a file of another document.
    """

    folder: Path
    edited: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    document: str = field(default="", compare=False)
    written: tuple[str, ...] = field(default=(), compare=False)


def save(folder: Path, contents: Mapping[str, bytes], document: WrittenFrom, known: Iterable[str]) -> Saved:
    """Write files of one document, all or none, but never over a file that a person changed.

    Of the `known` names that are not written now, those of another document are removed. Where a person changed a file
    of another document, all files of the folder stay as they are, since they belong to it.

    Args:
        folder: Where the files are; created where it does not exist.
        contents: What to write, by name.
        document: What the files are written from.
        known: All names that may be written to the folder.
    """
    with _created(folder):
        before = read_manifest(folder)
        new = {
            name: WrittenFile(sha256=_digest(content), document=document.sha256) for name, content in contents.items()
        }
        stale = [n for n in known if n in before.files and n not in new and before.files[n].document != document.sha256]
        edited = [name for name in new if _is_edited(folder / name, before, new[name].sha256)]
        edited += [name for name in stale if _is_edited(folder / name, before)]
        if any(name in before.files and before.files[name].document != document.sha256 for name in edited):
            return Saved(folder, tuple(edited), (), document.sha256)
        replaced = {name: written for name, written in new.items() if name not in edited}
        _write_manifest(folder, before.model_copy(update={"owner": document.owner, "replacing": replaced}))
        with ExitStack() as partials:  # every file is complete before the first is replaced
            for name in replaced:
                partials.enter_context(atomic_write(folder / name)).write_bytes(contents[name])
        removed = [name for name in stale if (folder / name).exists()]
        for name in removed:
            (folder / name).unlink()
        after = {name: written for name, written in {**before.files, **replaced}.items() if (folder / name).exists()}
        _write_manifest(folder, WrittenFiles(owner=document.owner, files=after))
    return Saved(folder, tuple(edited), tuple(removed), document.sha256, tuple(replaced))


def withdraw(folder: Path, known: Iterable[str]) -> Saved:
    """Remove the files of an earlier document that a person did not change; the folder goes with the last of them."""
    before = read_manifest(folder)
    there = [name for name in known if name in before.files and (folder / name).exists()]
    removed = [name for name in there if not _is_edited(folder / name, before)]
    for name in removed:
        (folder / name).unlink()
    if removed and len(removed) == len(there):
        (folder / DRAFT_MANIFEST).unlink()
        with suppress(OSError):  # a person's files are in it
            folder.rmdir()
    return Saved(folder, tuple(name for name in there if name not in removed), tuple(removed))


@contextmanager
def _created(folder: Path) -> Iterator[None]:
    """A folder that exists; where nothing could be written to a new one, it is removed again."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if [path.name for path in folder.iterdir()] == [DRAFT_MANIFEST]:
                (folder / DRAFT_MANIFEST).unlink()
            folder.rmdir()  # raises where it is not empty
        raise


def _digest(content: bytes) -> str:
    return sha256_of_chunks([content])


def _is_edited(path: Path, written: WrittenFiles, new: str | None = None) -> bool:
    """Whether a file is there that is neither as it was written nor as it is to be written now."""
    if not path.exists():
        return False
    before = written.files.get(path.name)
    return sha256_of_file(path) not in (new, before.sha256 if before is not None else None)


def read_manifest(folder: Path) -> WrittenFiles:
    """The manifest; an empty one where there is none or it is broken: then every file counts as edited."""
    try:
        found = WrittenFiles.model_validate_json((folder / DRAFT_MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError):
        return WrittenFiles()
    replaced = {
        name: written
        for name, written in found.replacing.items()
        if (folder / name).exists() and sha256_of_file(folder / name) == written.sha256
    }
    return WrittenFiles(owner=found.owner, files={**found.files, **replaced})


def _write_manifest(folder: Path, manifest: WrittenFiles) -> None:
    write_text(folder / DRAFT_MANIFEST, [manifest.model_dump_json(indent=2)])
