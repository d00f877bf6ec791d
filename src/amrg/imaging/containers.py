"""A path to its files: a folder, a zip, a DICOMDIR, a single file."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath

from amrg.imaging.errors import ImagingError, short_reason
from amrg.imaging.header import referenced_files

MAX_FILES = 10_000
MAX_BYTES = 8 * 2**30  # unpacked: two hundred full-size studies
_NOT_IMAGES = frozenset({".json", ".jsonl", ".txt", ".csv", ".md", ".xml", ".html", ".pdf", ".xlsx", ".inf", ".exe"})


def files_of(path: Path) -> list[Path]:
    """The files of a path, sorted; files that are no images (truth, notes) are skipped.

    Raises:
        ImagingError: no such path, an empty folder, a zip that is broken, hostile or too large.
    """
    if not path.exists():
        raise ImagingError(f"{path.name}: no such file or folder; check the path")
    if path.is_dir():
        found = sorted(_files_in(path))
    elif zipfile.is_zipfile(path):
        found = files_of(_unpack(path))
    elif path.name.upper() == "DICOMDIR":
        found = _dicomdir_files(path)
    else:
        found = [path]
    if not found:
        raise _nothing_in(path)
    return found


def walk_files(path: Path) -> Iterator[Path]:
    """The files of a path as in `files_of`, those of a folder in no order, so that no list holds them.

    Raises:
        ImagingError: as `files_of`.
    """
    if not path.is_dir():
        return iter(files_of(path))
    found = _files_in(path)
    first = next(found, None)
    if first is None:
        raise _nothing_in(path)
    return chain([first], found)


def _files_in(folder: Path) -> Iterator[Path]:
    return (p for p in folder.rglob("*") if p.is_file() and not _is_companion(p))


def _nothing_in(path: Path) -> ImagingError:
    return ImagingError(f"{path.name}: contains no image file; expected DICOM, PNG, TIFF, PGM or JPEG")


def _is_companion(path: Path) -> bool:
    """Files next to images that are none: by ending, hidden, or a DICOMDIR whose files are found anyway."""
    return path.suffix.lower() in _NOT_IMAGES or path.name.startswith(".") or path.name.upper() == "DICOMDIR"


def _unpack(path: Path) -> Path:
    """A zip unpacked into a folder that is removed when the program ends."""
    folder = Path(tempfile.mkdtemp(prefix="amrg-zip-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_hostile(path.name, archive)
            archive.extractall(folder)
    except ImagingError:
        raise
    except Exception as error:  # zipfile and its decoders raise what their parts raise on broken bytes
        raise ImagingError(
            f"{path.name}: the zip cannot be unpacked ({short_reason(error)}); pack it again without a password"
        ) from error
    return folder


def _refuse_hostile(name: str, archive: zipfile.ZipFile) -> None:
    """Refuse archives with members outside their folder, or that unpack to more than the limits.

    Raises:
        ImagingError: naming what was found.
    """
    members = archive.infolist()
    if len(members) > MAX_FILES or sum(m.file_size for m in members) > MAX_BYTES:
        raise ImagingError(f"{name}: unpacks to over {MAX_FILES} files or 8 GiB; pack fewer studies in one zip")
    for member in members:
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts:
            raise ImagingError(
                f"{name}: contains a path outside the archive; pack it again with paths inside one folder"
            )


def _dicomdir_files(path: Path) -> list[Path]:
    """The files that a DICOMDIR lists (PS3.10 8.6) and that exist."""
    found = []
    for names in referenced_files(path):
        file = path.parent.joinpath(*names)
        if file.is_file() and path.parent.resolve() in file.resolve().parents:
            found.append(file)
    return sorted(found)
