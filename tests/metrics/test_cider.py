"""CIDEr-D against pycocoevalcap, plain CIDEr against its definition, and what makes either meaningless."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.cider.cider import Cider

from amrg.benchmark import Metric
from amrg.metrics.text.cider import IdfCorpus, cider_metrics
from amrg.metrics.text.ptb import ptb_tokens
from tests.benchmark.realtexts import needs_dmid, real_pairs

Texts = Sequence[str]
REPORTS = st.lists(st.sampled_from(["a mass", "no mass", "seen", "left breast", "BI-RADS 4a", "."]), max_size=6)


def both(drafts: Texts, references: Texts, idf: IdfCorpus | None = None) -> tuple[Metric, Metric]:
    clipped, plain = cider_metrics(drafts, references, idf or IdfCorpus.of("references", references))
    assert (clipped.name, plain.name) == ("cider_d_ptb", "cider_ptb")
    return clipped, plain


def values(metric: Metric) -> list[float]:
    return [float(v) for v in metric.terms[:, 0]]


def peer(drafts: Texts, references: Texts) -> list[float]:
    """CIDEr-D by pycocoevalcap."""
    tokenized = [{i: [" ".join(ptb_tokens(t))] for i, t in enumerate(texts)} for texts in (references, drafts)]
    return [float(v) for v in Cider().compute_score(*tokenized)[1]]


def grams(text: str, n: int) -> Counter[tuple[str, ...]]:
    tokens = ptb_tokens(text)
    return Counter(tokens[i : i + n] for i in range(len(tokens) - n + 1))


def defined(draft: str, reference: str, corpus: Texts) -> float:
    """Plain CIDEr of one pair, written from Vedantam et al. 2015, equations 1 to 3, times ten."""
    cosines = []
    for n in range(1, 5):
        documents = [grams(text, n) for text in corpus]

        def weight(gram: tuple[str, ...], documents: list[Counter[tuple[str, ...]]] = documents) -> float:
            return math.log(len(documents) / max(1, sum(gram in d for d in documents)))

        a = {gram: times * weight(gram) for gram, times in grams(draft, n).items()}
        b = {gram: times * weight(gram) for gram, times in grams(reference, n).items()}
        lengths = math.hypot(*a.values()) * math.hypot(*b.values())
        cosines.append(sum(a[g] * b.get(g, 0) for g in a) / lengths if lengths else 0.0)
    return 10 * sum(cosines) / 4


@needs_dmid
def test_cider_d_equals_pycocoevalcap_on_real_reports() -> None:
    drafts, references = real_pairs()
    clipped, _ = both(drafts, references)
    np.testing.assert_allclose(values(clipped), peer(drafts, references), rtol=0, atol=1e-6)
    assert 0.2 < clipped.value < 2


@needs_dmid
def test_plain_cider_is_as_defined_on_real_reports() -> None:
    drafts, references = (texts[:40] for texts in real_pairs())
    _, plain = both(drafts, references)
    expected = [defined(d, r, references) for d, r in zip(drafts, references, strict=True)]
    np.testing.assert_allclose(values(plain), expected, rtol=0, atol=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(REPORTS, REPORTS), min_size=2, max_size=6))
def test_both_equal_their_reference_on_any_texts(pairs: list[tuple[list[str], list[str]]]) -> None:
    drafts, references = ([" ".join(p[side]) for p in pairs] for side in (0, 1))
    clipped, plain = both(drafts, references)
    if np.isnan(values(clipped)).all():
        assert len({ptb_tokens(r) for r in references}) == 1
        return
    np.testing.assert_allclose(values(clipped), peer(drafts, references), rtol=0, atol=1e-6)
    expected = [defined(d, r, references) for d, r in zip(drafts, references, strict=True)]
    np.testing.assert_allclose(values(plain), expected, rtol=0, atol=1e-6)


def test_a_training_part_as_idf_corpus_gives_its_own_values() -> None:
    training = ["no mass seen", "a mass in the left breast", "no mass, no calcification", "no mass seen"]
    draft, reference = "a mass in the right breast", "a mass in the left breast seen"
    idf = IdfCorpus.of("training part", training)
    assert idf.n == 4
    clipped, plain = both([draft], [reference], idf)
    assert values(plain) == pytest.approx([defined(draft, reference, training)], abs=1e-9)
    assert values(clipped)[0] < values(plain)[0]
    assert idf.sha256[:16] in plain.about
    assert "training part" in plain.about


def test_a_case_has_the_same_value_whatever_else_is_scored() -> None:
    references = ["a mass is seen in it", "no mass is seen", "a calcification"]
    drafts = ["a mass seen in it", "a mass", "no calcification"]
    idf = IdfCorpus.of("references", references)
    alone = [values(both([d], [r], idf)[0])[0] for d, r in zip(drafts, references, strict=True)]
    assert values(both(drafts, references, idf)[0]) == pytest.approx(alone)
    assert alone[0] > 0


def test_the_hash_is_of_the_documents_whatever_their_order() -> None:
    one, two = IdfCorpus.of("a", ["x y", "z", "z"]), IdfCorpus.of("b", ["z", "x  Y", "z"])
    assert one.sha256 == two.sha256
    assert len({c.sha256 for c in (one, IdfCorpus.of("a", ["x y", "z"]), IdfCorpus.of("a", ["x", "y z", "z"]))}) == 3


def test_one_case_has_no_cider() -> None:
    idf = IdfCorpus.of("training", ["a mass", "no mass", "no mass seen"])
    for metric in both(["a mass"], ["a mass"], idf):
        assert values(metric)[0] > 0
        assert math.isnan(metric.value)
        assert "means nothing for one" in metric.about


@pytest.mark.parametrize("documents", [[], ["a mass"], ["a mass", "A mass.", "a  mass"]])
def test_a_corpus_without_weights_scores_nothing_and_says_so(documents: list[str]) -> None:
    idf = IdfCorpus.of("references", documents)
    for metric in both(["a mass", "no mass"], ["a mass", "a mass"], idf):
        assert not metric.scored.any()
        assert math.isnan(metric.value)
        assert str(idf.weakness) in metric.about
