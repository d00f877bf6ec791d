"""Drafted tokens change how often a model is read, never what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.models import ModelError
from amrg.models.decoding.greedy import write_answer
from amrg.models.decoding.phrases import FILE_NAME, LONGEST, REPORTS, Phrases, shared_phrases

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
    phrases = shared_phrases([[*usual, 20 + i] for i in range(REPORTS)] + [private] * (REPORTS - 1))
    phrases.save(tmp_path)
    loaded = Phrases.load(tmp_path)
    assert loaded is not None
    assert loaded.tokens.tolist() == phrases.tokens.tolist() == [-1, *usual, -1]
    assert loaded.draft([1, 2]) == [3, 4, 5, 6]
    assert loaded.draft([9, 8]) == []
    assert Phrases.load(tmp_path / "nowhere") is None


@pytest.mark.parametrize("content", ["", "{}", '{"content": "phrases of training reports, 1", "phrases": 7}'])
def test_damaged_phrases_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(ModelError, match=r"phrases\.json is damaged .* or remove it"):
        Phrases.load(tmp_path)
