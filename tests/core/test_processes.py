"""Work in processes and in threads: in order, and one that ends costs its item only."""

from __future__ import annotations

import os
import signal

import pytest

from amrg.core.processes import ProcessEnded, ProcessPool
from amrg.core.threads import map_in_threads, usable_threads


def _work(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 5:
        os._exit(7)
    if item == 8:
        raise ValueError("eight")
    return item * item


def test_a_process_that_ends_costs_its_item_only() -> None:
    with ProcessPool(_work, 2) as pool:
        found = list(pool.map(iter([1, 2, 3, 4, 5, 6, 7])))
        assert found == [1, 4, ProcessEnded("signal 9"), 16, ProcessEnded("exit code 7"), 36, 49]
        results = pool.map([6, 8, 7])
        assert next(results) == 36
        with pytest.raises(ValueError, match="eight"):
            next(results)


def test_threads_give_results_in_order_and_the_first_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMRG_NUM_THREADS", "3")
    assert usable_threads() == 3
    assert map_in_threads(str, range(20)) == [str(number) for number in range(20)]
    with pytest.raises(ValueError, match="invalid literal"):
        map_in_threads(int, ["1", "b", "c"])
    monkeypatch.setenv("AMRG_NUM_THREADS", "1")
    assert map_in_threads(str, [1, 2]) == ["1", "2"]
    monkeypatch.setenv("AMRG_NUM_THREADS", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert usable_threads() == 2
