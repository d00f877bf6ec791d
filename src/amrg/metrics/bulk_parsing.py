"""Texts to reports in bulk: each distinct text read once, over processes where there are many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context

from amrg.birads import Report, read_answer
from amrg.birads.answers import answered_report
from amrg.core.cores import available_cores

MAX_CHARACTERS = 100_000
"""Characters of a text that is read or scored; a longer one is no report, but a generator that did not stop."""

_MANY = 1_000_000
"""Characters from which processes pay off: starting them takes about half a second."""

_CHUNK = 64


def read_reports(texts: Sequence[str | None]) -> list[Report | None]:
    """The facts of every text, in order: what `read_answer` reads, whatever the number of processes.

    None for None, and for a text that is not read (`why_unread`).
    Scripts that call this with many texts must be importable, as for `multiprocessing` with `spawn`; where
    processes cannot be started, it reads in this one.
    """
    distinct = [t for t in dict.fromkeys(texts) if t is not None and len(t) <= MAX_CHARACTERS]
    read = {t: r for t, r in zip(distinct, _read_all(distinct), strict=True) if why_unread(t, r) is None}
    return [None if t is None else read.get(t) for t in texts]


def why_unread(text: str, report: Report) -> str | None:
    """Why a text was not read, in the parser's words; None where it was. `report` has its facts, as far as known.

    A text of more than `MAX_CHARACTERS` characters is not read. One whose report states anything was read.
    """
    if len(text) > MAX_CHARACTERS:
        return f"over {MAX_CHARACTERS:,} characters: not read"
    return _refusal(text) if states_nothing(report) and text.strip() else None


def states_nothing(report: Report) -> bool:
    """Whether a report has no fact, whatever its narrative."""
    return report.model_copy(update={"narrative": ""}) == Report()


@lru_cache(maxsize=1 << 16)
def _refusal(text: str) -> str | None:
    return read_answer(text).parsed.refusal


def _read_all(texts: Sequence[str]) -> Iterable[Report]:
    workers = available_cores()
    if workers > 1 and sum(map(len, texts)) >= _MANY:
        try:
            return _read_over_processes(texts, workers)
        except (BrokenProcessPool, OSError):  # no main module to import, no memory, no right to start processes
            pass
    return list(map(answered_report, texts))


def _read_over_processes(texts: Sequence[str], workers: int) -> list[Report]:
    # What the processes call lives in amrg.birads, so that they import no more than the language.
    with ProcessPoolExecutor(min(workers, len(texts)), mp_context=get_context("spawn")) as pool:
        return list(pool.map(answered_report, texts, chunksize=_CHUNK))
