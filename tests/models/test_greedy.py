"""Drafted tokens change how often a model is read, never what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.models import ModelError
from amrg.models.decoding.greedy import write_answer
from amrg.models.decoding.phrases import BREAK, FILE_NAME, LONGEST, PATIENTS, SHARED, Phrases, shared_phrases

END = 5
tokens = st.integers(0, 7)


class Formula:
    """A model whose next token follows from all that it has read; it counts how often it is asked."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self.read = list(prompt)
        self.calls = 0

    def next(self) -> int:
        return (3 * sum(self.read) + 5 * len(self.read) + self.read[-1]) % 8

    def advance(self, read: Sequence[int]) -> list[int]:
        self.calls += 1
        return [self._after(token) for token in read]

    def _after(self, token: int) -> int:
        self.read.append(token)
        return self.next()

    def rewind(self, count: int) -> None:
        del self.read[len(self.read) - count :]


@given(st.lists(tokens, min_size=1, max_size=6), st.lists(st.lists(tokens, max_size=9)), st.integers(1, 20))
def test_an_answer_is_the_same_with_any_phrases(prompt: list[int], runs: list[list[int]], limit: int) -> None:
    plain, drafted = Formula(prompt), Formula(prompt)
    expected = write_answer(plain, plain.next(), END, limit)
    assert write_answer(drafted, drafted.next(), END, limit, Phrases.of_runs(runs)) == expected
    assert drafted.calls <= plain.calls


def test_a_model_that_writes_a_known_phrase_is_read_once_for_all_of_it() -> None:
    plain = Formula([1])
    report = write_answer(plain, plain.next(), END, 30)
    assert len(report) > 3
    drafted = Formula([1])
    assert write_answer(drafted, drafted.next(), END, 30, Phrases.of_runs([[*report, END]])) == report
    assert drafted.calls == -(-len(report) // (LONGEST + 1)) < plain.calls


def test_only_what_several_reports_share_is_kept(tmp_path: Path) -> None:
    usual, private = [1, 2, 3, 4, 5, 6], [9, 8, 7, 9, 8, 7]
    reports = [[*usual, 20 + i] for i in range(PATIENTS)] + [private] * (PATIENTS - 1)
    phrases = shared_phrases((str(i), report) for i, report in enumerate(reports))
    phrases.save(tmp_path)
    loaded = Phrases.load(tmp_path)
    assert loaded is not None
    assert loaded.tokens.tolist() == phrases.tokens.tolist() == [-1, *usual, -1]
    assert loaded.draft([1, 2]) == [3, 4, 5, 6]
    assert loaded.draft([9, 8]) == []
    assert Phrases.load(tmp_path / "nowhere") is None


def test_a_run_that_one_report_alone_joins_is_not_stored() -> None:
    reports = [[1, 2, 3, 4]] * PATIENTS + [[2, 3, 4, 5]] * PATIENTS + [[1, 2, 3, 4, 5]]
    phrases = shared_phrases((str(i), report) for i, report in enumerate(reports))
    assert runs_of(phrases) == [(1, 2, 3, 4), (2, 3, 4, 5)]


def test_many_reports_of_one_patient_share_nothing() -> None:
    assert runs_of(shared_phrases([("one", [1, 2, 3, 4, 5])] * 3 * PATIENTS)) == []


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.lists(st.integers(0, 1), max_size=9)), max_size=24))
def test_every_stored_run_is_whole_in_reports_of_several_patients_and_no_shared_one_is_lost(
    reports: list[tuple[str, list[int]]],
) -> None:
    stored = runs_of(shared_phrases(reports))
    assert all(len(patients_with(run, reports)) >= PATIENTS for run in stored)
    present = {gram for _, report in reports for gram in grams(report)}
    shared = {gram for gram in present if len(patients_with(gram, reports)) >= PATIENTS}
    assert shared == {gram for run in stored for gram in grams(run)}


def runs_of(phrases: Phrases) -> list[tuple[int, ...]]:
    """The stored runs, in order."""
    parts: list[tuple[int, ...]] = [()]
    for token in phrases.tokens.tolist()[1:]:
        parts = [*parts, ()] if token == BREAK else [*parts[:-1], (*parts[-1], token)]
    return parts[:-1]


def grams(report: Sequence[int], length: int = SHARED) -> list[tuple[int, ...]]:
    """All runs of one length in a report."""
    return [tuple(report[i : i + length]) for i in range(len(report) - length + 1)]


def patients_with(run: tuple[int, ...], reports: list[tuple[str, list[int]]]) -> set[str]:
    """The patients of whom a report has a run whole."""
    return {patient for patient, report in reports if run in grams(report, len(run))}


@pytest.mark.parametrize("content", ["", "{}", '{"content": "phrases of training reports, 1", "phrases": 7}'])
def test_damaged_phrases_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(ModelError, match=r"phrases\.json is damaged .* or remove it"):
        Phrases.load(tmp_path)
