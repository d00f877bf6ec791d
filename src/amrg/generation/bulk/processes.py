"""Tasks drafted in worker processes of this machine: one that ends is replaced, and only its tasks are tried again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from amrg.core.attempts import MOST, Attempts
from amrg.core.cores import available_cores
from amrg.core.errors import AmrgError
from amrg.core.threads import OPENMP, VARIABLES
from amrg.generation.bulk.drafting import BulkOptions, TaskDrafter, TaskResult, UnwritableOutput, withdrawing
from amrg.generation.bulk.index import StudyTask
from amrg.generation.bulk.records import ATTEMPTS
from amrg.generation.engines.base import Engine

_READ_AHEAD = 8
"""Groups that a single worker process is handed together: all but the first are read while the engine works."""
_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy this process's threads in the middle of their work


class WorkerError(AmrgError):
    """A worker process that cannot work at all."""


@dataclass(frozen=True)
class WorkerPlan:
    """What a worker process does: how it loads its engine, how it drafts, and the session that it belongs to.

    `load` is pickled. `limit` is the seconds that a task may take.
    """

    load: Callable[[], Engine]
    options: BulkOptions
    session: str
    limit: float = 600.0

    def drafter(self, place: str, is_up: Callable[[str], bool] = lambda place: True) -> TaskDrafter:
        """Load the engine, and draft with it."""
        attempts = Attempts(self.options.folder / ATTEMPTS, self.session, place, self.limit, is_up)
        return TaskDrafter(self.load(), self.options, attempts)


@dataclass(frozen=True)
class WorkerReady:
    """A worker process has loaded its engine, which has lines for the user."""

    notes: tuple[str, ...]
    max_batch: int


def draft_in_processes(
    tasks: Iterable[StudyTask], plan: WorkerPlan, workers: int
) -> Generator[WorkerReady | TaskResult]:
    """A result a task, as they come, and the first `WorkerReady`; tasks are drawn as workers become free.

    Raises:
        WorkerError: the engine cannot be loaded in a worker process.
        AmrgError: the engine's own error where it cannot be loaded, or is lost; what any worker drafted after the
            engine drifted is withdrawn.
        UnwritableOutput: a report or a record cannot be written.
    """
    pool = _Pool(iter(tasks), plan, workers)
    with withdrawing(plan.options.folder):
        try:
            yield from pool.results()
        finally:
            pool.stop()


@dataclass
class _Worker:
    """A worker process, and the tasks that it has not answered yet."""

    process: BaseProcess
    connection: Connection
    tasks: dict[str, StudyTask] = field(default_factory=dict)
    batch: int = 0  # tasks that it takes together, 0 until it is ready


class _Pool:
    """Hands tasks to worker processes. A task is handed out again where its process ended before it was answered.

    That ends: whoever takes such a task finds what the process before it left, and sets it aside after the second.
    """

    def __init__(self, tasks: Iterator[StudyTask], plan: WorkerPlan, workers: int) -> None:
        self._tasks, self._plan = tasks, plan
        self._again: deque[StudyTask] = deque()
        self._handed: dict[str, int] = {}  # how often a task was handed out again
        self._is_announced = False
        self._workers = [self._start(workers) for _ in range(workers)]
        self._count = workers

    def results(self) -> Iterator[WorkerReady | TaskResult]:
        """What the workers send, until every task has its result."""
        while self._workers:
            for ready in wait([worker.connection for worker in self._workers]):
                worker = next(w for w in self._workers if w.connection is ready)
                try:
                    message = worker.connection.recv()
                except (EOFError, OSError):
                    self._replace(worker)
                    continue
                yield from self._take(worker, message)

    def stop(self) -> None:
        """End all workers now; what they have finished is on disk."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
        self._workers = []

    def _take(self, worker: _Worker, message: Any) -> Iterator[WorkerReady | TaskResult]:
        if isinstance(message, Exception):
            raise message
        if isinstance(message, WorkerReady):
            worker.batch = max(1, message.max_batch)
            if not self._is_announced:
                self._is_announced = True
                yield message
        else:
            del worker.tasks[message.task.name]
            yield message
        if not worker.tasks:
            self._hand_out(worker)

    def _hand_out(self, worker: _Worker) -> None:
        """Give a worker its next tasks, those of ended processes first; it ends where there are none."""
        # Next to other workers, what one reads ahead the others would not draft.
        groups = _READ_AHEAD if self._count == 1 else 1
        tasks = [self._again.popleft()] if self._again else list(islice(self._tasks, groups * worker.batch))
        worker.tasks = {task.name: task for task in tasks}
        with suppress(OSError):  # it has just ended: that is noticed at the next wait
            worker.connection.send(tasks)
        if not tasks:
            self._workers.remove(worker)
            worker.process.join()
            worker.connection.close()

    def _replace(self, worker: _Worker) -> None:
        """A process has ended: its tasks are tried again, by another in its place."""
        self._workers.remove(worker)
        worker.process.join()
        worker.connection.close()
        if not worker.batch:
            raise WorkerError(
                f"a worker process ended while it loaded the model ({_ending(worker.process)}); where memory is short, "
                "name fewer with --workers"
            )
        for task in worker.tasks.values():
            self._handed[task.name] = self._handed.get(task.name, 0) + 1
            if self._handed[task.name] > MOST + 1:
                raise WorkerError(f"worker processes end ({_ending(worker.process)}) outside of any study; report this")
            self._again.append(task)
        self._workers.append(self._start(self._count))

    def _start(self, workers: int) -> _Worker:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_work, args=(theirs, self._plan), daemon=False)  # it may read files apart
        with _worker_environment(workers):
            process.start()
        theirs.close()
        return _Worker(process, ours)


def _ending(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return f"signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def _worker_environment(workers: int) -> Iterator[None]:
    """What is started here computes with its part of the cores, unless threads are set, and draws no bars."""
    new = {"TQDM_DISABLE": "1"}
    if not any(name in os.environ for name in VARIABLES):
        new[OPENMP] = str(max(1, available_cores() // workers))
    old = {name: os.environ.get(name) for name in new}
    os.environ.update(new)
    try:
        yield
    finally:
        for name, value in old.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _work(connection: Connection, plan: WorkerPlan) -> None:
    """A worker process: tasks in, results out, until there are none or its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        drafter = plan.drafter(f"process {os.getpid()}")
        connection.send(WorkerReady(drafter.engine.notes, drafter.engine.max_batch))
        while tasks := connection.recv():
            for result in drafter.run(tasks):
                connection.send(result)
    except (AmrgError, UnwritableOutput) as error:
        connection.send(error)
    except (EOFError, BrokenPipeError):  # the parent has ended
        return


def _end_with_parent() -> None:
    """End this process when its parent has ended, whatever it is in the middle of."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
