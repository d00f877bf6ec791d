"""Work in processes of its own: one that ends over an item, as a decoder's crash ends it, costs that item only."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy this process's threads in the middle of their work


@dataclass(frozen=True)
class ProcessEnded:
    """The process that worked on an item ended before it had answered: `how` is a signal or an exit code."""

    how: str


@dataclass
class _Worker:
    """A process, and the number of the item that it works on."""

    process: BaseProcess
    connection: Connection
    number: int | None = None


class ProcessPool(Generic[Item, Result]):
    """Processes that do one kind of work, item by item. They start with the pool and end with its `with` block.

    `work` is a function of a module: it is pickled by its name, and so are items and results by their values.
    """

    def __init__(self, work: Callable[[Item], Result], processes: int) -> None:
        """Start so many processes."""
        self._work = work
        self._workers = [self._start() for _ in range(max(1, processes))]

    def __enter__(self) -> ProcessPool[Item, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._workers:
            worker = self._workers.pop()
            worker.connection.close()
            worker.process.kill()
            worker.process.join()

    def map(self, items: Iterable[Item]) -> Iterator[Result | ProcessEnded]:
        """What `work` makes of each item, in order; a process that ends is replaced.

        Items are drawn as processes become free, at most a few a process ahead of the result that is waited for.

        Raises:
            Exception: what `work` raised over an item.
        """
        numbered = enumerate(items)
        answers: deque[Any] = deque()  # from the next to give on; None where it is not there yet
        given, most = 0, 4 * len(self._workers)
        while True:
            for worker in self._workers:
                if worker.number is None and len(answers) < most and (following := next(numbered, None)) is not None:
                    self._hand(worker, *following)
                    answers.append(None)
            if not answers:
                return
            if answers[0] is None:
                for number, answer in self._wait():
                    answers[number - given] = answer
                continue
            answer = answers.popleft()
            given += 1
            if isinstance(answer, Exception):
                raise answer
            yield answer[0]

    def _hand(self, worker: _Worker, number: int, item: Item) -> None:
        worker.number = number
        try:
            worker.connection.send(item)
        except OSError:  # it has just ended by itself: another in its place
            self._replace(worker)
            self._hand(worker, number, item)

    def _wait(self) -> Iterator[tuple[int, tuple[Result | ProcessEnded] | Exception]]:
        """The next answers, each with its item's number."""
        busy = {worker.connection: worker for worker in self._workers if worker.number is not None}
        for connection in wait(list(busy)):
            worker = next(one for ready, one in busy.items() if ready is connection)
            number, worker.number = worker.number, None
            if number is None:
                continue
            try:
                yield number, worker.connection.recv()
            except (EOFError, OSError):
                yield number, (ProcessEnded(self._replace(worker)),)

    def _replace(self, worker: _Worker) -> str:
        """Start another process in the place of one that has ended; how it ended."""
        worker.connection.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        fresh = self._start()
        worker.process, worker.connection = fresh.process, fresh.connection
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _start(self) -> _Worker:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(theirs, self._work), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    """A worker process: items in, answers out, until the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    try:
        while True:
            item = connection.recv()
            try:
                answer: Any = (work(item),)
            except Exception as error:  # raised again where the result is waited for
                answer = error
            connection.send(answer)
    except (EOFError, OSError):  # the parent has ended
        return
