"""The adapter to RadEval, on a stand-in with the call signature of RadEval 2.2.1."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from amrg.metrics.errors import BenchmarkError
from amrg.metrics.text import radeval
from amrg.metrics.text.radeval import missing_radeval, radeval_metrics
from tests.benchmark.making import written

STAND_IN = """
import warnings

class RadEval:
    def __init__(self, metrics=None, openai_api_key=None, gemini_api_key=None, per_sample=False, detailed=False,
                 show_progress=True, cache_dir=None):
        warnings.filterwarnings("ignore")
        assert per_sample and not show_progress
        (self.name,) = metrics

    def __call__(self, refs, hyps):
        if self.name == "radgraph":
            return {f"radgraph_{level}": [float(r == h) for r, h in zip(refs, hyps)] for level in ("simple", "partial")}
        if self.name == "radcliq":
            return {"radcliq_v1": [None if not h else len(h) for h in hyps]}
        return {"rougeL": [0.5]}
"""
PAIRS = [written("a mass", "a mass"), written("a mass", None), written("a mass", ""), written("a mass", "no mass")]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "radeval.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "radeval", raising=False)


@pytest.mark.usefixtures("stand_in")
def test_values_a_report_become_rows_and_a_failed_case_has_none() -> None:
    filters = list(warnings.filters)
    simple, partial, distance = radeval_metrics(PAIRS, ["radgraph", "radcliq"])
    assert list(warnings.filters) == filters
    assert [m.name for m in (simple, partial, distance)] == [
        "radeval_radgraph_simple",
        "radeval_radgraph_partial",
        "radeval_radcliq_v1",
    ]
    assert simple.value == pytest.approx(1 / 3)
    assert simple.scored.tolist() == [True, False, True, True]
    assert distance.scored.tolist() == [True, False, False, True]
    assert simple.higher_is_better
    assert not distance.higher_is_better
    assert "RadEval" in simple.about


@pytest.mark.usefixtures("stand_in")
def test_another_form_of_answer_and_unknown_or_cloud_metrics_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="1 values of rougeL for 3 reports"):
        radeval_metrics(PAIRS, ["rouge"])
    with pytest.raises(BenchmarkError, match="in the cloud"):
        radeval_metrics(PAIRS, ["mammo_green"])
    with pytest.raises(BenchmarkError, match=r"no metric 'rouge1'.* radgraph"):
        radeval_metrics(PAIRS, ["rouge1"])
    assert radeval_metrics([written("a mass", None)], ["radgraph"]) == []


def test_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radeval, "find_spec", lambda name: None)
    assert "pip install radeval" in str(missing_radeval())
    with pytest.raises(BenchmarkError, match="pip install radeval"):
        radeval_metrics(PAIRS, ["radgraph"])


def test_keys_become_names() -> None:
    assert radeval._metric_name("rougeL") == "radeval_rouge_l"
    assert radeval._metric_name("samples_avg_f1-score") == "radeval_samples_avg_f1_score"
    assert radeval._metric_name("radeval_bertscore") != radeval._metric_name("bertscore")
