"""Named tensors by key on disk: computed once before training, read in every step.

A store is a folder of safetensors files `shard-00000.safetensors`, ..., each written atomically, and
`fingerprint.json`, which says what they were computed from. The index of a shard is its header, so no other file can
disagree with it. An interrupted store keeps every complete shard; filled again, it ends with the same bytes as without
the interruption. A shard is never overwritten: if one was removed, its content is computed again into a new one.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from amrg.core.files import atomic_write, write_text
from amrg.core.hashing import sha256_of_text
from amrg.core.values import Value
from amrg.models.backbones.base import Tensors
from amrg.training.errors import TuningError

SHARD = 64 * 2**20
"""Bytes of tensors per shard: the most that is lost by an interruption. One key's tensors stay in one shard."""

FINGERPRINT, LOCK, PARTS, MAX_OPEN = "fingerprint.json", ".lock", "parts", 32

Make = Callable[[Sequence[str]], Iterable[Tensors | None]]
"""Computes tensors of keys in order; None if not available, and then the key stays absent."""


class TensorStore:
    """Tensors of many keys, bound to a fingerprint of their inputs; memory-mapped, read one key at a time.

    Any number of processes may read while one fills; another that wants to fill waits, and finds the work done.
    """

    def __init__(self, folder: Path, fingerprint: Value, shard: int = SHARD) -> None:
        """Open a store; it is created if there is none.

        Raises:
            TuningError: the folder has another fingerprint, or a damaged shard.
        """
        self.folder = folder
        self._shard = shard
        self._fingerprint = fingerprint.model_dump_json(indent=1)
        self._index: dict[str, tuple[Path, tuple[str, ...]]] = {}
        self._indexed: set[Path] = set()
        # The most recent files stay open. The cache is this store's own: it never writes to a path that it has opened.
        self._open: Callable[[Path], Any] = lru_cache(maxsize=MAX_OPEN)(partial(safe_open, framework="pt"))
        self._bind()
        self._index_new()

    @classmethod
    def under(cls, cache: Path, name: str, fingerprint: Value) -> TensorStore:
        """The store below `cache` for exactly this fingerprint; each fingerprint has its own folder."""
        return cls(cache / f"{name}-{sha256_of_text(fingerprint.model_dump_json(indent=1))[:16]}", fingerprint)

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def read(self, key: str) -> Tensors:
        """A key's tensors, bit for bit as stored.

        Raises:
            TuningError: the store has no such key.
        """
        if key not in self._index:
            if self.has_part(key):
                return self._read_part(key)
            raise TuningError(f"{self.folder}: has no entry {key!r}; prepare this case first")
        path, names = self._index[key]
        file = self._open(path)
        return {name: file.get_tensor(_tensor_name(key, name)) for name in names}

    def fill(self, keys: Sequence[str], make: Make, progress: Callable[[int, int], None]) -> None:
        """Compute and store the missing keys in order; `progress` gets the number of stored and of all keys.

        Keys with a part are taken from it, and the parts are removed in the end.

        Raises:
            TuningError: the folder cannot be written, as with a full disk; stored shards remain.
        """
        if all(key in self._index for key in keys):
            return
        with self._only_writer():
            self._index_new()
            missing = [key for key in keys if key not in self._index]
            for pending in self._shards(
                missing, make, lambda done: progress(len(keys) - len(missing) + done, len(keys))
            ):
                self._write(pending)
            for key in keys:
                self._part(key).unlink(missing_ok=True)

    def has_part(self, key: str) -> bool:
        """Whether a key's tensors were computed by a process that does not fill."""
        return self._part(key).is_file()

    def add_part(self, key: str, tensors: Tensors) -> None:
        """Write a key's tensors to a file of their own, until the next fill: any number of processes may.

        Raises:
            TuningError: it cannot be written.
        """
        self._part(key).parent.mkdir(exist_ok=True)
        self._save(self._part(key), {key: tensors})

    def _part(self, key: str) -> Path:
        return self.folder / PARTS / f"{sha256_of_text(key)[:32]}.safetensors"

    def _read_part(self, key: str) -> Tensors:
        """The tensors of a part; its file was written whole."""
        with safe_open(self._part(key), framework="pt") as file:
            return {name.rsplit(_SEPARATOR, 1)[1]: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def _made(self, keys: Sequence[str], make: Make) -> Iterator[Tensors | None]:
        """Tensors of keys in order: of a part where there is one, and computed where there is none."""
        parts = {key for key in keys if self.has_part(key)}
        computed = iter(make([key for key in keys if key not in parts]))
        for key in keys:
            yield self._read_part(key) if key in parts else next(computed)

    def _shards(self, keys: Sequence[str], make: Make, progress: Callable[[int], None]) -> Iterator[dict[str, Tensors]]:
        """Tensors of keys in order, grouped by shard."""
        pending: dict[str, Tensors] = {}
        size = 0
        for done, (key, made) in enumerate(zip(keys, self._made(keys, make), strict=True), 1):
            if made is not None:
                # A copy: slices of one tensor share its memory, and it may be on another device.
                copied = {name: tensor.detach().cpu().clone() for name, tensor in made.items()}
                if pending and size + bytes_of(copied) > self._shard:
                    yield pending
                    pending, size = {}, 0
                pending[key] = copied
                size += bytes_of(copied)
            progress(done)
        if pending:
            yield pending

    def _write(self, pending: dict[str, Tensors]) -> None:
        """Write a new shard, numbered above all that ever existed."""
        path = self.folder / f"shard-{self._next_number():05d}.safetensors"
        self._save(path, pending)
        self._index_shard(path)

    def _save(self, path: Path, pending: dict[str, Tensors]) -> None:
        """Write tensors by key to one file."""
        flat = {
            _tensor_name(key, name): t.contiguous() for key, tensors in pending.items() for name, t in tensors.items()
        }
        try:
            with atomic_write(path) as partial_path:
                save_file(flat, partial_path, {"fingerprint": sha256_of_text(self._fingerprint)})
        except (SafetensorError, OSError) as error:
            raise TuningError(
                f"{path}: cannot be written ({error}); earlier shards remain: free some space, or name another "
                "cache folder, and start again"
            ) from error

    def _next_number(self) -> int:
        """A number that no shard ever had."""
        return max((_number(path) for path in {*self._indexed, *self._shard_files()}), default=-1) + 1

    def _shard_files(self) -> list[Path]:
        """The shards in the folder, in order."""
        return sorted(path for path in self.folder.glob("shard-*.safetensors") if _number(path) >= 0)

    def _index_new(self) -> None:
        """Index the shards that are not indexed yet."""
        for path in self._shard_files():
            if path not in self._indexed:
                self._index_shard(path)

    def _index_shard(self, path: Path) -> None:
        """Read one shard's header."""
        try:
            file = self._open(path)
        except (SafetensorError, OSError) as error:
            raise TuningError(
                f"{path}: not readable ({error}); remove it, and its content is computed again"
            ) from error
        if (file.metadata() or {}).get("fingerprint") != sha256_of_text(self._fingerprint):
            raise TuningError(f"{path}: its fingerprint differs from {FINGERPRINT}; remove {self.folder}")
        named: dict[str, list[str]] = {}
        for both in file.keys():  # noqa: SIM118  # not a dictionary
            key, name = both.rsplit(_SEPARATOR, 1)
            named.setdefault(key, []).append(name)
        self._index.update({key: (path, tuple(names)) for key, names in named.items()})
        self._indexed.add(path)

    def _bind(self) -> None:
        """Write the folder's fingerprint, or compare with it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / FINGERPRINT
        if not path.is_file():
            with self._only_writer():
                write_text(path, [self._fingerprint])
        if path.read_text(encoding="utf-8").rstrip("\n") != self._fingerprint:
            raise TuningError(
                f"{path}: the folder has tensors of another model, recipe or data set; use an empty folder"
            )

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        """Wait until no other process fills this store. The lock is released when its process ends in any way."""
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _number(path: Path) -> int:
    """A shard's number; below 0 if the file is not a shard, such as a manual copy."""
    digits = path.stem.removeprefix("shard-")
    return int(digits) if digits.isdecimal() else -1


_SEPARATOR = "\n"


def _tensor_name(key: str, name: str) -> str:
    """A tensor's name in a shard."""
    return f"{key}{_SEPARATOR}{name}"


def bytes_of(tensors: Tensors) -> int:
    """The size of tensors in memory."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
