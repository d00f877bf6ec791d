"""Named tensors by key on disk: what is computed once before training, and read in every step.

A store is a folder of safetensors files, `shard-00000.safetensors` and on, each there whole or not at all, and
`of.json`, which says what they were computed from. The header of a shard is its index: there is nothing beside it that
could disagree with it. Killed at any moment, a store keeps every whole shard; filled again, it ends with the same
bytes as if it had never been stopped. A shard is never written over: where one was removed, what it held is made again
in a new one.
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
"""Bytes of tensors a shard: what a killed run may have to compute again. One key's tensors are never divided."""

OF, LOCK, OPEN = "of.json", ".lock", 32

Make = Callable[[Sequence[str]], Iterable[Tensors | None]]
"""Computes tensors of keys in turn; None where there are none to be had, and then that key stays absent."""


class TensorStore:
    """Tensors of many keys, bound to what they were computed from; memory-mapped, read one key at a time.

    Any number of processes may read while one fills; a second that would fill waits, and finds the work done.
    """

    def __init__(self, folder: Path, of: Value, shard: int = SHARD) -> None:
        """Open a store, made where there is none.

        Raises:
            TuningError: the folder holds tensors of something else, or a shard that is not whole.
        """
        self.folder = folder
        self._shard = shard
        self._of = of.model_dump_json(indent=1)
        self._index: dict[str, tuple[Path, tuple[str, ...]]] = {}
        self._known: set[Path] = set()
        # The last ones stay open, of this store alone: a path that it has opened, it writes no shard under.
        self._opened: Callable[[Path], Any] = lru_cache(maxsize=OPEN)(partial(safe_open, framework="pt"))
        self._bind()
        self._look()

    @classmethod
    def under(cls, cache: Path, name: str, of: Value) -> TensorStore:
        """The store below `cache` for what was computed from exactly this: another has another folder."""
        return cls(cache / f"{name}-{sha256_of_text(of.model_dump_json(indent=1))[:16]}", of)

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def read(self, key: str) -> Tensors:
        """A key's tensors, as they were stored bit for bit.

        Raises:
            TuningError: the store has no such key.
        """
        if key not in self._index:
            raise TuningError(f"{self.folder}: holds nothing of {key!r}; prepare its case first")
        path, names = self._index[key]
        file = self._opened(path)
        return {name: file.get_tensor(_joined(key, name)) for name in names}

    def fill(self, keys: Sequence[str], make: Make, told: Callable[[int, int], None]) -> None:
        """Compute and store what is missing of `keys`, in their order; `told` hears how many are there, of how many.

        Raises:
            TuningError: the folder cannot be written, such as a full disk; what is stored stays.
        """
        if all(key in self._index for key in keys):
            return
        with self._only_writer():
            self._look()
            missing = [key for key in keys if key not in self._index]
            for held in self._shards(missing, make, lambda done: told(len(keys) - len(missing) + done, len(keys))):
                self._write(held)

    def _shards(self, keys: Sequence[str], make: Make, told: Callable[[int], None]) -> Iterator[dict[str, Tensors]]:
        """Tensors of keys in order, as many together as a shard takes."""
        held: dict[str, Tensors] = {}
        size = 0
        for done, (key, made) in enumerate(zip(keys, make(keys), strict=True), 1):
            if made is not None:
                # A copy, for what is cut from one tensor shares its memory, and may be on another device.
                mine = {name: tensor.detach().cpu().clone() for name, tensor in made.items()}
                if held and size + bytes_of(mine) > self._shard:
                    yield held
                    held, size = {}, 0
                held[key] = mine
                size += bytes_of(mine)
            told(done)
        if held:
            yield held

    def _write(self, held: dict[str, Tensors]) -> None:
        """One more shard, numbered above all there are and were."""
        path = self.folder / f"shard-{self._next():05d}.safetensors"
        flat = {_joined(key, name): t.contiguous() for key, tensors in held.items() for name, t in tensors.items()}
        try:
            with atomic_write(path) as beside:
                save_file(flat, beside, {"of": sha256_of_text(self._of)})
        except (SafetensorError, OSError) as error:
            raise TuningError(
                f"{path}: cannot be written ({error}); what is stored already stays: make room, or name another "
                "cache folder, and start again"
            ) from error
        self._take(path)

    def _next(self) -> int:
        """The number of a shard that there never was."""
        return max((_number(path) for path in {*self._known, *self._there()}), default=-1) + 1

    def _there(self) -> list[Path]:
        """The shards in the folder, in order."""
        return sorted(path for path in self.folder.glob("shard-*.safetensors") if _number(path) >= 0)

    def _look(self) -> None:
        """Take up shards that are not known yet."""
        for path in self._there():
            if path not in self._known:
                self._take(path)

    def _take(self, path: Path) -> None:
        """Read one shard's header."""
        try:
            file = self._opened(path)
        except (SafetensorError, OSError) as error:
            raise TuningError(f"{path}: not readable ({error}); remove it, and what it held is made again") from error
        if (file.metadata() or {}).get("of") != sha256_of_text(self._of):
            raise TuningError(f"{path}: computed from something else than {OF} beside it says; remove {self.folder}")
        named: dict[str, list[str]] = {}
        for both in file.keys():  # noqa: SIM118  # it is no dictionary
            key, name = both.rsplit(_BETWEEN, 1)
            named.setdefault(key, []).append(name)
        self._index.update({key: (path, tuple(names)) for key, names in named.items()})
        self._known.add(path)

    def _bind(self) -> None:
        """Say what the folder is of, or hold it to what it says."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / OF
        if not path.is_file():
            with self._only_writer():
                write_text(path, [self._of])
        if path.read_text(encoding="utf-8").rstrip("\n") != self._of:
            raise TuningError(f"{path}: holds tensors of another model, recipe or data set; name an empty folder")

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        """Wait until no other process fills this store. The lock goes with its process, however that ends."""
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _number(path: Path) -> int:
    """A shard's number; below 0 of a file that is none, such as a copy that somebody made."""
    digits = path.stem.removeprefix("shard-")
    return int(digits) if digits.isdecimal() else -1


_BETWEEN = "\n"


def _joined(key: str, name: str) -> str:
    """A tensor's name in a shard."""
    return f"{key}{_BETWEEN}{name}"


def bytes_of(tensors: Tensors) -> int:
    """What tensors take in memory."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
