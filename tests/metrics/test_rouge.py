"""ROUGE against the rouge-score package."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from amrg.metrics.text.rouge import lcs_length, rouge_metrics
from tests.benchmark.realtexts import needs_dmid, real_pairs

PEER_NAMES = {"rouge1": "rouge_1_f1", "rouge2": "rouge_2_f1", "rougeL": "rouge_l_f1"}
WORDS = st.lists(
    st.sampled_from(["mass", "masses", "BI-RADS", "4a.", "ill-defined", "é", "  ", "\n", "No"]), max_size=9
)


def same_as_peer(drafts: Sequence[str], references: Sequence[str]) -> None:
    made = {m.name: m.terms[:, 0] for m in rouge_metrics(drafts, references)}
    assert len(made) == 6
    for variant in ("stemmed", "unstemmed"):
        scorer = RougeScorer(list(PEER_NAMES), use_stemmer=variant == "stemmed")
        scores = [scorer.score(r, d) for d, r in zip(drafts, references, strict=True)]
        for peer, name in PEER_NAMES.items():
            expected = np.array([s[peer].fmeasure for s in scores])
            np.testing.assert_allclose(made[f"{name}_{variant}"], expected, rtol=0, atol=1e-6)


@needs_dmid
def test_equals_rouge_score_on_real_reports() -> None:
    drafts, references = real_pairs()
    same_as_peer(drafts, references)
    stemmed, unstemmed = (m.value for m in rouge_metrics(drafts, references) if "_l_" in m.name)
    assert 0.3 < unstemmed < stemmed < 0.9


@settings(deadline=None, max_examples=60)
@given(WORDS, WORDS)
def test_equals_rouge_score_on_any_words(draft: list[str], reference: list[str]) -> None:
    same_as_peer([" ".join(draft)], [" ".join(reference)])


@given(st.text("abc", max_size=70), st.text("abc", max_size=70))
def test_length_of_the_common_subsequence_is_that_of_the_table(first: str, second: str) -> None:
    row = [0] * (len(second) + 1)
    for a in first:
        above = row[:]
        for j, b in enumerate(second):
            row[j + 1] = above[j] + 1 if a == b else max(above[j + 1], row[j])
    assert lcs_length(first, second) == row[-1]


def test_an_enormous_draft_ends() -> None:
    made = list(rouge_metrics(["mass seen " * 100_000], ["a small mass is seen in the breast " * 10]))
    assert all(m.value < 0.01 for m in made)
    assert made[0].value > 0
