"""BLEU against sacrebleu's own corpus score, over all cases and over resamples of them."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.metrics.text.bleu import bleu_metric
from tests.benchmark.realtexts import needs_dmid, real_pairs

TEXTS = st.lists(
    st.sampled_from(["A mass,", "no", "mass.", "4a", "seen\n", "in the", "-\n", "&quot;", "12x8 mm"]), max_size=9
)


@needs_dmid
def test_equals_sacrebleu_on_real_reports_and_on_resamples_of_them() -> None:
    drafts, references = real_pairs()
    metric = bleu_metric(drafts, references)
    assert metric.value == pytest.approx(sacrebleu.corpus_bleu(drafts, [references]).score, abs=1e-6)
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(drafts), (5, 30))
    sums = np.stack([metric.terms[rows].sum(axis=0) for rows in picks])
    expected = [sacrebleu.corpus_bleu([drafts[i] for i in p], [[references[i] for i in p]]).score for p in picks]
    np.testing.assert_allclose(metric.combine(sums), expected, rtol=0, atol=1e-6)
    assert "tok:13a|smooth:exp|version:" in metric.about


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_equals_sacrebleu_on_any_texts(pairs: list[tuple[list[str], list[str]]]) -> None:
    drafts, references = ([" ".join(p[side]) for p in pairs] for side in (0, 1))
    metric = bleu_metric(drafts, references)
    if np.isnan(metric.value):
        assert not any(text.strip() for text in (*drafts, *references))
    else:
        assert metric.value == pytest.approx(sacrebleu.corpus_bleu(drafts, [references]).score, abs=1e-6)


def test_rows_that_are_unscored_have_no_value() -> None:
    metric = bleu_metric(["a mass is seen here"], ["a mass is seen here"])
    with_failed = np.stack([metric.terms[0], np.full(10, np.nan)])
    assert metric.combine(with_failed)[0] == pytest.approx(100)
    assert np.isnan(metric.combine(with_failed)[1])
