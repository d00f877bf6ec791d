"""A path to its files: a folder, a zip, a DICOMDIR, a single file."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath

from amrg.core.duplicates import duplicates
from amrg.core.hashing import sha256_of_text
from amrg.imaging.errors import ImagingError, short_reason
from amrg.imaging.header import referenced_files

MAX_FILES = 10_000
MAX_BYTES = 8 * 2**30  # unpacked: two hundred full-size studies
_UNPACKED = "amrg-zip-"  # begins the name of the folder that a zip is unpacked in
DRAFT_PICTURE, DRAFT_MANIFEST = "report.png", "written.json"  # of a draft, which may lie below its own study
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
        found = sorted(_files_in(_unpack(path)))
    elif path.suffix.lower() == ".zip":
        raise ImagingError(f"{path.name}: not a whole zip: it is damaged or cut short; copy it again")
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


def _files_in(folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    """The files below a folder, those of linked folders too; a link that leads back to a folder `above` is not entered.

    `above` has device and inode of the folders on the way here. Links to nothing and folders that cannot be listed are
    among the files, so that they are named.

    Raises:
        ImagingError: the folder itself cannot be listed.
    """
    try:
        status = folder.stat()
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError as error:
        raise ImagingError(f"{folder.name}: the folder cannot be read ({short_reason(error)})") from error
    here = (status.st_dev, status.st_ino)
    for entry in () if here in above else listed:
        if entry.is_dir() and os.access(entry.path, os.R_OK | os.X_OK):
            yield from _files_in(Path(entry.path), above | {here})
        elif (entry.is_file() or entry.is_dir() or entry.is_symlink()) and not _is_companion(Path(entry.path)):
            yield Path(entry.path)


def lasting_folder(file: Path) -> str:
    """The folder of a file as a name that is the same in every run, also where a zip was unpacked for this one."""
    folder = file.parent.resolve()
    unpacked = next((above for above in folder.parents if above.name.startswith(_UNPACKED)), None)
    return str(folder if unpacked is None else folder.relative_to(unpacked))


def _nothing_in(path: Path) -> ImagingError:
    return ImagingError(f"{path.name}: contains no image file; expected DICOM, PNG, TIFF, PGM or JPEG")


def _is_companion(path: Path) -> bool:
    """Files next to images that are none: by ending, hidden, a draft's picture, a DICOMDIR (its files are found)."""
    if path.name == DRAFT_PICTURE and (path.parent / DRAFT_MANIFEST).is_file():
        return True
    return path.suffix.lower() in _NOT_IMAGES or path.name.startswith(".") or path.name.upper() == "DICOMDIR"


def _unpack(path: Path) -> Path:
    """A zip unpacked into a folder that is removed when the program ends, named by the zip inside it."""
    unpacked = Path(tempfile.mkdtemp(prefix=_UNPACKED))
    atexit.register(shutil.rmtree, unpacked, ignore_errors=True)
    folder = unpacked / sha256_of_text(str(path.resolve()))[:16]
    folder.mkdir()
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
    if twice := duplicates(member.filename for member in members):
        raise ImagingError(f"{name}: contains {twice[0]} twice, and one would replace the other; pack it again")
    for member in members:
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts:
            raise ImagingError(
                f"{name}: contains a path outside the archive; pack it again with paths inside one folder"
            )


def _dicomdir_files(path: Path) -> list[Path]:
    """The files that a DICOMDIR lists (PS3.10 8.6), those too that are not there; names in any case of letters."""
    listed = (_in_any_case(path.parent, names) for names in referenced_files(path))
    return sorted(file for file in listed if path.parent.resolve() in file.resolve().parents)


def _in_any_case(folder: Path, names: Iterable[str]) -> Path:
    """A file below a folder by its names, in the spelling on the disk where that differs in capitals alone."""
    for name in names:
        alike = (other for other in folder.iterdir() if other.name.upper() == name.upper()) if folder.is_dir() else ()
        folder = folder / name if (folder / name).exists() else next(iter(alike), folder / name)
    return folder
