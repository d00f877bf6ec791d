"""Which task is being worked on, by a file while it is: a task that ends its process is recognised by what it left."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from amrg.core.files import write_text
from amrg.core.values import Value

MOST = 2
"""Processes that a task may end before it is set aside."""


class Attempt(Value):
    """An attempt that was not finished: in which session, where, and how many ended their process before it."""

    session: str
    place: str
    earlier: int


@dataclass(frozen=True)
class Deaths:
    """How many processes a task ended, and whether the last of them ran into the time limit with this task alone."""

    count: int
    timed_out: bool = False


@dataclass(frozen=True)
class Attempts:
    """The attempts of one session, which is one command from its start to its end.

    An attempt of another session, or in a place that is down itself, ended for a reason of its own: a whole command or
    machine was stopped. It does not count against its task. `folder` is where the files of attempts lie. `limit` is the
    seconds that a task may take, 0 for any number: after those the process ends itself, whatever it is in.
    """

    folder: Path
    session: str
    place: str
    limit: float = 0.0
    is_up: Callable[[str], bool] = lambda place: True

    def deaths(self, name: str) -> Deaths:
        """How many processes a task ended in this session."""
        found = self._read(name)
        if found is None or found.session != self.session:
            return Deaths(0)
        if not self.is_up(found.place):
            return Deaths(found.earlier)
        timeout = self._timeout(name)
        return Deaths(found.earlier + 1, timeout.is_file() and timeout.stat().st_size > 0)

    def left(self) -> frozenset[str]:
        """The tasks that a process was working on when it ended, in any session, or is working on now."""
        return frozenset(path.stem for path in self.folder.glob("*.json"))

    @contextmanager
    def working(self, names: Sequence[str], earlier: int) -> Iterator[None]:
        """Say that tasks are being worked on together, and end this process where they take longer than the limit."""
        attempt = Attempt(session=self.session, place=self.place, earlier=earlier).model_dump_json()
        for name in names:
            self._path(name).parent.mkdir(parents=True, exist_ok=True)
            self._timeout(name).unlink(missing_ok=True)
            write_text(self._path(name), [attempt])
        try:
            with self._timer(names):
                yield
        except BaseException:  # it did not end this process
            for name in names:
                self.end(name)
            raise

    @contextmanager
    def _timer(self, names: Sequence[str]) -> Iterator[None]:
        """End this process after the limit, with a trace of its code, and of no data, where one task alone is at work.

        It is a timer of the system's, so that it also ends native code that never returns to Python.
        """
        if not self.limit:
            yield
            return
        trace = self._timeout(names[0]) if len(names) == 1 else Path(os.devnull)
        with trace.open("w", encoding="utf-8") as file:
            faulthandler.dump_traceback_later(self.limit * len(names), exit=True, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()

    def end(self, name: str) -> None:
        """Say that a task is finished."""
        self._path(name).unlink(missing_ok=True)
        self._timeout(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _timeout(self, name: str) -> Path:
        return self._path(name).with_suffix(".timeout")

    def _read(self, name: str) -> Attempt | None:
        try:
            return Attempt.model_validate_json(self._path(name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None


def new_session() -> str:
    """A name that no other session has."""
    return os.urandom(8).hex()
