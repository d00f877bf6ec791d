"""Texts in bulk: read once each, in order, alike in one process and in many; too long is said and not cut."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool

import pytest

from amrg.birads import Report, parse
from amrg.metrics import bulk_parsing
from amrg.metrics.bulk_parsing import MAX_CHARACTERS, read_reports

TEXTS = ["BIRADS: 1. ACR B.", None, "BIRADS: 4a. A mass in the left breast.", "", "BIRADS: 1. ACR B."]


def _plain(texts: Sequence[str | None]) -> list[Report | None]:
    return [None if t is None else parse(t).report for t in texts]


def test_each_distinct_text_is_read_once_and_stands_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def counting(text: str) -> Report:
        parsed.append(text)
        return parse(text).report

    monkeypatch.setattr(bulk_parsing, "answered_report", counting)
    assert read_reports(TEXTS) == _plain(TEXTS)
    assert parsed == [TEXTS[0], TEXTS[2], ""]


def test_processes_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*TEXTS, *(f"BIRADS: {i % 6}. A mass of {i} mm in the right breast." for i in range(1, 200))]
    monkeypatch.setattr(bulk_parsing, "_MANY", 1)
    monkeypatch.setattr(bulk_parsing, "available_cores", lambda: 2)
    assert read_reports(texts) == _plain(texts)


def test_where_no_process_can_be_had_it_reads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(texts: Sequence[str], workers: int) -> list[Report]:
        raise BrokenProcessPool

    monkeypatch.setattr(bulk_parsing, "_MANY", 1)
    monkeypatch.setattr(bulk_parsing, "available_cores", lambda: 2)
    monkeypatch.setattr(bulk_parsing, "_read_over_processes", broken)
    assert read_reports(TEXTS) == _plain(TEXTS)


def test_a_text_too_long_is_not_read() -> None:
    maximal = ("BIRADS: 2. " * MAX_CHARACTERS)[:MAX_CHARACTERS]
    texts = [maximal, maximal + ".", None]
    first, *others = read_reports(texts)
    assert first is not None
    assert first.worst is not None
    assert others == [None, None]
