"""All text metrics of some pairs together: names, rows, failed cases, what is skipped."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from amrg.metrics.text import wordnet
from amrg.metrics.text.cider import IdfCorpus
from amrg.metrics.text.suite import text_metrics, text_warnings
from amrg.metrics.text.wordnet import load_wordnet
from tests.benchmark.making import written

NORMAL = "No mass seen. BI-RADS 1."
MASS = "Irregular mass in the left breast. BI-RADS 5."
PAIRS = [
    written(NORMAL, NORMAL),
    written(MASS, None),
    written(MASS, ""),
    written(MASS, NORMAL),
    written(NORMAL, NORMAL),
]
ALWAYS = {
    *(f"rouge_{n}_f1_{variant}" for n in "12l" for variant in ("stemmed", "unstemmed")),
    "cider_d_ptb",
    "cider_ptb",
    "bleu_4_sacrebleu_13a",
}


def test_every_variant_has_its_own_name_and_says_how_it_was_computed() -> None:
    metrics = text_metrics(PAIRS)
    names = [m.name for m in metrics]
    assert len(set(names)) == len(names)
    assert ALWAYS <= set(names) <= ALWAYS | {"meteor_nltk"}
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)
    assert all(m.about and "\n" not in m.about for m in metrics)


def test_a_failed_case_is_unscored_and_an_empty_text_is_nought() -> None:
    for metric in text_metrics(PAIRS):
        assert metric.scored.tolist() == [True, False, True, True, True], metric.name
        each = metric.combine(metric.terms)
        assert each[2] == 0
        assert each[0] == each[4] > each[3] > 0 or metric.name.startswith("cider")
        assert metric.value > 0


def test_references_of_failed_cases_count_for_the_idf() -> None:
    (given,) = (
        m for m in text_metrics(PAIRS, IdfCorpus.of("x", [p.reference_text for p in PAIRS])) if m.name == "cider_ptb"
    )
    (counted,) = (m for m in text_metrics(PAIRS) if m.name == "cider_ptb")
    np.testing.assert_array_equal(given.terms, counted.terms)
    assert "5 documents, the 5 references scored" in counted.about


def test_no_case_at_all_and_no_draft_at_all_have_no_values() -> None:
    for pairs in ([], [written(MASS, None)]):
        metrics = text_metrics(pairs)
        assert {m.name for m in metrics} >= ALWAYS
        assert all(np.isnan(m.value) and len(m.terms) == len(pairs) for m in metrics)


def test_one_case_has_no_cider_and_a_warning() -> None:
    warnings = text_warnings(PAIRS[:1])
    assert any("no meaning for 1 scored case" in line for line in warnings)
    assert any("every weight is zero" in line for line in warnings)
    assert not any("CIDEr" in line for line in text_warnings(PAIRS))


def test_what_is_skipped_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordnet, "_from_nltk", lambda: None)
    monkeypatch.setattr(wordnet, "_from_debian", lambda: None)
    load_wordnet.cache_clear()
    try:
        assert any(line.startswith("meteor_nltk is skipped") for line in text_warnings(PAIRS))
        assert {m.name for m in text_metrics(PAIRS)} == ALWAYS
    finally:
        load_wordnet.cache_clear()


def test_an_enormous_text_ends() -> None:
    enormous = replace(PAIRS[0], text="mass seen, " * 100_000)
    metrics = text_metrics([*PAIRS, enormous])
    assert all(m.scored[-1] for m in metrics)
