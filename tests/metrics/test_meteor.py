"""Both METEORs: NLTK's against NLTK, 1.5 against pycocoevalcap, and what happens where WordNet or Java is not."""

from __future__ import annotations

import math
import shutil
import sys
import threading
from pathlib import Path

import nltk.data
import numpy as np
import pytest
from nltk.translate.meteor_score import meteor_score
from pycocoevalcap.meteor.meteor import Meteor

from amrg.metrics.text import meteorjar, wordnet
from amrg.metrics.text.meteor import meteor_metric
from amrg.metrics.text.meteorjar import JarError, MeteorJar, meteor_jar_metric, missing_meteor_jar
from amrg.metrics.text.ptb import ptb_tokens
from amrg.metrics.text.rouge import words
from amrg.metrics.text.wordnet import load_wordnet, missing_wordnet
from tests.benchmark.realtexts import needs_dmid, real_pairs

needs_wordnet = pytest.mark.skipif(load_wordnet() is None, reason="no WordNet here: apt-get install wordnet-base")
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="no Java to run METEOR 1.5 with")

HANGING = f"""#!{sys.executable}
import sys, time
for line in sys.stdin:
    if "hang" in line:
        time.sleep(600)
    if "crash" in line:
        sys.exit(1)
    print("1.0" if line.startswith("SCORE") else "0.5\\n0.5", flush=True)
"""


@pytest.fixture
def hanging_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A java that scores everything 0.5, hangs on `hang` and ends on `crash`."""
    (tmp_path / "java").write_text(HANGING)
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@needs_wordnet
@needs_dmid
def test_equals_nltk_on_real_reports() -> None:
    drafts, references = real_pairs()
    metric = meteor_metric(drafts, references)
    reader, data = load_wordnet() or (None, "")
    expected = [
        meteor_score([words(r)], words(d), wordnet=reader) for d, r in zip(drafts, references, strict=True)
    ]  # fmt: skip
    assert metric is not None
    np.testing.assert_allclose(metric.terms[:, 0], expected, rtol=0, atol=1e-6)
    assert metric.value > 0.3
    assert "WordNet 3.0" in data
    assert data in metric.about


@needs_wordnet
def test_synonyms_match_and_empty_texts_score_nothing() -> None:
    metric = meteor_metric(["a lump in the chest", "", "mass", ""], ["a ball in the breast", "mass", "", ""])
    assert metric is not None
    assert metric.terms[0, 0] > 0.9
    assert metric.terms[1:, 0].tolist() == [0, 0, 0]


def test_without_wordnet_meteor_is_skipped_with_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordnet, "DEBIAN", tmp_path)
    monkeypatch.setattr(wordnet, "_from_nltk", lambda: None)
    monkeypatch.setattr(nltk.data, "path", [])
    load_wordnet.cache_clear()
    try:
        assert meteor_metric(["a"], ["a"]) is None
        assert "apt-get install wordnet-base" in str(missing_wordnet())
    finally:
        load_wordnet.cache_clear()


@needs_java
@needs_dmid
def test_the_jar_scores_as_in_pycocoevalcap_and_not_as_nltk() -> None:
    drafts, references = (texts[:30] for texts in real_pairs())
    with MeteorJar() as jar:
        metric = meteor_jar_metric(drafts, references, jar)
        peer = Meteor.__new__(Meteor)  # pycocoevalcap's own way with the program, which takes seconds to start
        peer.meteor_p, peer.lock = jar._process, threading.Lock()
        tokens = [{i: [" ".join(ptb_tokens(t))] for i, t in enumerate(texts)} for texts in (references, drafts)]
        expected = peer.compute_score(*tokens)[1]
    np.testing.assert_allclose(metric.terms[:, 0], expected, rtol=0, atol=1e-6)
    nltks = meteor_metric(drafts, references)
    assert metric.name == "meteor_1_5_jar"
    assert nltks is None or nltks.value - metric.value > 0.1


class Waiting(MeteorJar):
    """Waits no time for what hangs and as long as it takes for all else, so that no slow machine is late."""

    def _within(self, seconds: float, line: str) -> float:
        return super()._within(0.0 if "hang" in line else threading.TIMEOUT_MAX, line)


@pytest.mark.usefixtures("hanging_java")
def test_a_pair_that_hangs_is_unscored_and_the_next_one_is_scored() -> None:
    with Waiting() as jar:
        metric = meteor_jar_metric(["mass", "hang", "mass " * 50_000], ["mass\r\nseen", "mass", "mass"], jar)
        assert jar.late == 1
    assert metric.terms[0, 0] == metric.terms[2, 0] == 0.5
    assert math.isnan(metric.terms[1, 0])


@pytest.mark.usefixtures("hanging_java")
def test_a_jar_that_ends_is_an_error_in_words() -> None:
    with MeteorJar() as jar, pytest.raises(JarError, match="ended without an answer"):
        jar.score("crash", "mass")


def test_what_is_missing_for_the_jar_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no java" in str(missing_meteor_jar())
    with pytest.raises(JarError, match="default-jre-headless"), MeteorJar():
        pass
    monkeypatch.setattr(meteorjar, "find_spec", lambda name: None)
    assert "pip install pycocoevalcap" in str(missing_meteor_jar())
