"""Received files on disk: streamed to a temporary name, then made durable under a name of our own.

Nothing that a sender states is part of a path. A file is complete under its final name or not there at all, and a row
points to it only afterwards; what no row points to is an orphan of a crash, which `remove_orphans` deletes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from amrg.core.errors import AmrgError

_INCOMING = "incoming"
_META_LENGTH = slice(140, 144)  # the value of (0002,0000) in a file with preamble and prefix, PS3.10 7.1
_META_START = 144


class TooLarge(AmrgError):
    """An object that is larger than the settings allow."""


class Spool:
    """A file that is being received. `sha256` is of its data set, so that what wrote the file meta does not matter.

    It has what pynetdicom expects of a temporary file. Writing never raises, since it happens in threads that would
    end without an answer to the sender: `error` says what went wrong, and nothing more is written then.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """Create the file; `limit` is in bytes."""
        self.path, self.error, self.size = path, None, 0  # type: Path, Exception | None, int
        self._limit, self._head, self._digest = limit, bytearray(), hashlib.sha256()
        self._offset: int | None = None
        self._noticed = 0
        self.study_instance_uid: str | None = None  # once it is known, while bytes still arrive
        self._file: BinaryIO | None = None
        try:
            self._file = path.open("xb")
        except OSError as error:
            self.error = error

    @property
    def name(self) -> str:
        """The path, as files have it."""
        return str(self.path)

    @property
    def file(self) -> Spool:
        """The file itself, which pynetdicom flushes."""
        return self

    @property
    def sha256(self) -> str:
        """The digest of the data set's bytes."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Append bytes."""
        if self.error is None and self._file is not None:
            try:
                self._write(data)
            except (OSError, TooLarge) as error:
                self.error = error
                self.discard()
        return len(data)

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        self.size += len(data)
        if self.size > self._limit:
            raise TooLarge(f"an object of more than {self._limit // 2**20} MB; the settings allow no more")
        self._file.write(data)
        if self._offset is not None:
            self._digest.update(data)
            return
        self._head += data
        if len(self._head) >= _META_START:
            offset = _META_START + struct.unpack("<L", self._head[_META_LENGTH])[0]
            if len(self._head) >= offset:
                self._digest.update(self._head[offset:])
                self._offset = offset
                self._head.clear()

    def grew(self) -> bool:
        """Whether bytes arrived since this was last called."""
        before, self._noticed = self._noticed, self.size
        return self.size > before

    def flush(self) -> None:
        """Nothing: the file is flushed once, when it is complete."""

    def make_durable(self) -> None:
        """Write the file to the disk itself.

        Raises:
            OSError: there is no room, or the disk fails.
            TooLarge: it was larger than allowed.
        """
        if self.error is not None:
            raise self.error
        if self._file is None or self._file.closed:
            return  # it is on the disk already
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None and not self._file.closed:
            try:
                self._file.close()
            except OSError as error:  # what was in the buffer found no room
                self.error = self.error or error

    def discard(self) -> None:
        """Close the file and remove it, if it is still under its temporary name."""
        self.close()
        self.path.unlink(missing_ok=True)


class Storage:
    """The folder of received files."""

    def __init__(self, folder: Path, object_limit: int = 2**32, reserve: int = 0) -> None:
        """Make the folder where there is none. `reserve` are bytes of the disk that stay free for the database."""
        self.folder, self.object_limit, self.reserve = folder, object_limit, reserve
        self._open: dict[Path, Spool] = {}
        self._lock = threading.Lock()
        (folder / _INCOMING).mkdir(parents=True, exist_ok=True)

    def clear_incoming(self) -> int:
        """Remove what a crash left half received; returns how many files. Only before anything is received."""
        abandoned = [file for file in (self.folder / _INCOMING).iterdir() if file.is_file()]
        for file in abandoned:
            file.unlink(missing_ok=True)
        return len(abandoned)

    def spool(self) -> Spool:
        """A new file to receive an object into."""
        spool = Spool(self.folder / _INCOMING / f"{secrets.token_hex(16)}.part", self.object_limit)
        if spool.error is None and shutil.disk_usage(self.folder).free < self.reserve:
            spool.error = OSError(errno.ENOSPC, "the disk is full but for its reserve")
            spool.discard()
        with self._lock:
            self._open[spool.path] = spool
        return spool

    def receiving(self) -> list[Spool]:
        """The files that are being received at the moment."""
        with self._lock:
            return list(self._open.values())

    def done(self, spool: Spool) -> None:
        """End a reception; removes the file where it was not stored."""
        spool.discard()
        with self._lock:
            self._open.pop(spool.path, None)

    def store(self, spool: Spool) -> str:
        """Make a complete file durable under a name of our own; returns its path below the folder.

        Raises:
            OSError: there is no room, or the disk fails. Nothing is left behind.
            TooLarge: it was larger than allowed.
        """
        spool.make_durable()
        name = secrets.token_hex(16)
        relative = f"{name[:2]}/{name}.dcm"
        target = self.folder / relative
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            _sync_folder(self.folder)
        spool.path.rename(target)
        _sync_folder(target.parent)
        return relative

    def path_of(self, relative: str) -> Path:
        """Where a stored file is."""
        return self.folder / relative

    def remove(self, relative: str) -> None:
        """Remove a file that no row points to."""
        self.path_of(relative).unlink(missing_ok=True)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Store in another process than the node's: `remove_orphans` waits until file and row are both there."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def remove_orphans(self, known: Callable[[], Iterable[str]]) -> int:
        """Remove stored files that no row points to, as a crash between file and row leaves them; returns how many."""
        with self._locked(fcntl.LOCK_EX):
            return self._remove_unknown(set(known()))

    def _remove_unknown(self, rows: set[str]) -> int:
        orphans = [
            file for file in self.folder.glob("??/*.dcm") if file.relative_to(self.folder).as_posix() not in rows
        ]
        for file in orphans:
            file.unlink(missing_ok=True)
        return len(orphans)

    def is_intact(self, relative: str, sha256: str) -> bool:
        """Whether a stored file is there with the data set that was received."""
        try:
            with self.path_of(relative).open("rb") as file:
                head = file.read(_META_START)
                file.seek(_META_START + struct.unpack("<L", head[_META_LENGTH])[0])
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except (OSError, struct.error):
            return False


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
