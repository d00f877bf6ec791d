"""The same work on a few things together, where libraries do it that let go of Python's lock; and repeated work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from amrg.core.cores import available_cores

AMRG, OPENMP = VARIABLES = ("AMRG_NUM_THREADS", "OMP_NUM_THREADS")
"""Environment variables that decide how many threads compute, the first before the second."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def requested_threads() -> int | None:
    """The threads that `AMRG_NUM_THREADS`, else `OMP_NUM_THREADS` asks for; None where neither names a number."""
    requested = (os.environ.get(name, "").strip() for name in VARIABLES)
    return next((int(text) for text in requested if text.isdecimal() and int(text) > 0), None)


def usable_threads() -> int:
    """Threads to work in: as many as the environment asks for, else one a core of this process."""
    return requested_threads() or available_cores()


def map_in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What `work` makes of each item, in order. No thread outlives the call; none waits in a loop.

    Raises:
        Exception: what `work` raised over the first item that it raised over.
    """
    threads = min(usable_threads(), len(items))
    if threads < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads, thread_name_prefix="amrg") as pool:
        return list(pool.map(work, items))


@contextmanager
def repeated(work: Callable[[], bool], seconds: float, name: str) -> Iterator[None]:
    """Do some work every so many seconds in a thread of that name, while the block runs and the work returns True."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds) and work():
            pass

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
