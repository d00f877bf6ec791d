"""Scores as a whole: perfect is 1 and blind 0, failed cases are in no number, and what must be known is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from amrg.benchmark.baselines.suite import fit_baselines
from amrg.benchmark.references import References
from amrg.benchmark.scoring.measure import OptionalMetrics
from amrg.benchmark.scoring.score_run import Submission, score_submission, write_scores
from amrg.benchmark.scoring.scoring import ScoringOptions, score
from amrg.benchmark.submissions import Outputs
from amrg.birads import Report
from amrg.datasets.case import NO_FINDINGS, ReferenceSource
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.intervals import Method
from amrg.metrics.scores import MetricScore, Role, ScoredWith, Scores
from amrg.metrics.strict import STRICT
from tests.benchmark.fixtures import CASES, PERFECT, REFERENCES, TURNED, case, written


def scored(outputs: Outputs, references: References = REFERENCES, extras: OptionalMetrics | None = None) -> Scores:
    options = ScoringOptions("mine", resamples=200, extras=extras or OptionalMetrics())
    return score(references, outputs, fit_baselines(references), options)


def mine(scores: Scores) -> dict[str, MetricScore]:
    return scores.systems["mine"].metrics


@pytest.fixture(scope="module")
def turned() -> Scores:
    return scored(TURNED)


def test_perfect_outputs_have_skill_one_and_the_best_blind_baseline_nought() -> None:
    scores = scored(PERFECT)
    skilled = {name: m.skill for name, m in mine(scores).items() if m.skill is not None and m.skill.value is not None}
    assert {"rouge_l_f1_stemmed", "cider_d_ptb", "birads_accuracy_7_worst", "finding_f1_by_lesion"} <= skilled.keys()
    assert {s.value for s in skilled.values()} == {1.0}
    assert {s.high for s in skilled.values()} == {1.0, None}
    assert all(s.low is None or (s.method is Method.EXACT and s.low < 1) for s in skilled.values())  # never certain
    for name, skill in skilled.items():
        best = scores.systems[skill.blind].metrics[name].skill
        assert best is not None
        assert best.value == 0.0


def test_every_number_has_n_interval_and_how_it_was_computed(turned: Scores) -> None:
    for system in turned.systems.values():
        for metric in system.metrics.values():
            assert metric.n + metric.unscored == 12
            assert metric.about
            if metric.value is not None and metric.low is not None and metric.high is not None:
                assert metric.low <= metric.high
    assert mine(turned)["rouge_l_f1_stemmed"].low is not None
    assert {name: s.role for name, s in turned.systems.items() if s.role is not Role.BLIND} == {
        "mine": Role.SYSTEM,
        "oracle": Role.ORACLE,
        "perfect": Role.PERFECT,
    }
    assert "from 20 train cases of made" in turned.systems["constant"].about


def test_a_failed_case_is_in_no_number_but_those_that_count_every_case() -> None:
    some = written([t if i < 8 else None for i, t in enumerate(p.text for p in TURNED.predictions)])
    half = scored(some)
    whole = scored(Outputs(TURNED.predictions[:8]), replace(REFERENCES, cases=CASES[:8]))
    assert (half.systems["mine"].n, half.systems["mine"].failed) == (12, 4)
    for name in ("rouge_l_f1_stemmed", "bleu_4_sacrebleu_13a", "birads_accuracy_7_worst", "finding_f1_by_lesion"):
        assert (mine(half)[name].n, mine(half)[name].unscored) == (8, 4)
        assert mine(half)[name].value == pytest.approx(mine(whole)[name].value)
        assert (mine(half)[name + STRICT].n, mine(half)[name + STRICT].unscored) == (12, 0)
        assert (mine(half)[name + STRICT].value or 0) <= (mine(whole)[name].value or 0)
    for name in ("rouge_l_f1_stemmed", "birads_accuracy_7_worst"):
        assert mine(half)[name + STRICT].value == pytest.approx((mine(half)[name].value or 0) * 8 / 12)
    values = half.cases[9].values
    assert {name for name, value in values.items() if value is not None} == {"clinical_mean"}  # its parts are strict
    assert sum(row[-1] for row in half.confusions["density"].counts) == 4


def test_where_a_data_set_publishes_no_findings_none_is_wrong() -> None:
    silent = [c.model_copy(update={"reference": Report(assessments=c.reference.assessments)}) for c in CASES]
    noted = [c.model_copy(update={"notes": (NO_FINDINGS,)}) for c in silent]
    taken, left = (mine(scored(PERFECT, replace(REFERENCES, cases=tuple(cases)))) for cases in (silent, noted))
    assert taken["hallucinated_findings_a_report"].value == pytest.approx(0.75)
    for name in ("hallucinated_findings_a_report", "finding_f1_by_lesion", "mammogreen_score"):
        assert (left[name].n, left[name].unscored, left[name].value) == (0, 12, None)
    assert left["birads_accuracy_7_worst"].value == 1.0


def test_a_system_that_always_fails_has_no_number_but_the_worst() -> None:
    scores = scored(written([None] * 12))
    every = {n for n in mine(scores) if n.endswith(STRICT) or "_majority_share" in n} | {"clinical_mean"}
    assert {m.value for n, m in mine(scores).items() if n not in every} == {None}
    assert {mine(scores)[name + STRICT].value for name in ("rouge_l_f1_stemmed", "density_accuracy")} == {0.0}
    assert mine(scores)["clinical_mean"].value == 0.0
    assert scores.systems["mine"].failed == 12


def test_subgroups_are_the_metrics_of_their_cases(turned: Scores) -> None:
    assert set(turned.subgroups) == {"density", "category", "view"}
    assert {name: s.n for name, s in turned.subgroups["view"].items()} == {"CC": 6, "MLO": 6}
    inside = [i for i in range(12) if i % 2]
    alone = scored(
        Outputs(tuple(TURNED.predictions[i] for i in inside)),
        replace(REFERENCES, cases=tuple(CASES[i] for i in inside)),
    )
    for name in ("rouge_l_f1_stemmed", "birads_accuracy_7_worst", "finding_f1_by_lesion"):
        assert turned.subgroups["view"]["CC"].metrics[name].value == pytest.approx(mine(alone)[name].value)


def test_single_cases_have_the_values_that_one_case_can_have(turned: Scores) -> None:
    values = [c.values["rouge_l_f1_stemmed"] for c in turned.cases]
    assert sum(v or 0 for v in values) / 12 == pytest.approx(mine(turned)["rouge_l_f1_stemmed"].value, abs=1e-5)
    assert "cider_d_ptb" in turned.cases[0].values
    assert not any("kappa" in name for name in turned.cases[0].values)
    assert turned.cases[3].subgroups == {"density": "C", "category": "2", "view": "CC", "data set": "made"}


def test_texts_rendered_from_labels_get_a_text_score_only_on_request() -> None:
    mixed = replace(REFERENCES, cases=(*(case(i, ReferenceSource.LABELS) for i in range(5)), *CASES[5:]))
    without, requested = scored(TURNED, mixed), scored(TURNED, mixed, OptionalMetrics(label_texts=True))
    assert mine(without)["rouge_l_f1_stemmed"].n == mine(without)["cider_d_ptb"].n == 7
    assert "the 7 references scored" in mine(without)["cider_d_ptb"].about
    assert mine(without)["birads_accuracy_7_worst"].n == 12
    assert "5 of 12 references are rendered from labels: text metrics skip them" in without.warnings
    assert mine(requested)["rouge_l_f1_stemmed"].n == 12
    assert any("text metrics count them, as requested" in w for w in requested.warnings)


def test_training_cases_are_marked_and_warned_of() -> None:
    scores = scored(TURNED, replace(REFERENCES, part="train", training=()))
    assert scores.data.trained_on
    assert any(w.startswith("these are training cases") for w in scores.warnings)
    assert not scored(TURNED).data.trained_on


def test_one_case_has_neither_cider_nor_kappa_nor_intervals_nor_blind_baselines() -> None:
    scores = scored(Outputs(PERFECT.predictions[:1]), References("made", CASES[:1]))
    metrics = mine(scores)
    assert metrics["cider_d_ptb"].value is None
    assert metrics["birads_kappa_quadratic_7_worst"].value is None
    assert metrics["rouge_l_f1_stemmed"].value == 1.0
    assert {m.low for m in metrics.values()} == {None}
    assert {m.skill for m in metrics.values()} == {None}
    messages = " / ".join(scores.warnings)
    assert "CIDEr has no meaning for 1 scored case" in messages
    assert "one group only (1 case): there are no intervals" in messages
    assert "no blind baselines, and so no skill" in messages


def test_few_groups_are_warned_of(turned: Scores) -> None:
    assert turned.data.groups == 6
    assert any(w.startswith("6 groups only") for w in turned.warnings)


def test_without_training_cases_baselines_never_learn_from_a_cases_own_group() -> None:
    alone = References("made", CASES)
    made = fit_baselines(alone)
    group = {c.text: c.group for c in CASES}
    for name in ("constant", "sampled", "prior", "oracle"):
        for scored_case, prediction in zip(CASES, made.predictions[name], strict=True):
            assert prediction.key == scored_case.key
            assert group[prediction.text or ""] != scored_case.group
    assert "cross-fitted" in made.about["constant"]
    assert any("cross-fitted" in w for w in scored(TURNED, alone).warnings)


def test_a_system_cannot_have_the_name_of_a_baseline() -> None:
    with pytest.raises(BenchmarkError, match="'oracle', like a baseline"):
        ScoringOptions("oracle")


def test_scores_come_back_from_their_file_and_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    handed = Submission(tmp_path / "mine.jsonl", REFERENCES, TURNED)
    handed.path.write_text("{}", encoding="utf-8")
    options = ScoringOptions("mine", resamples=50)
    made = [score_submission(handed, tmp_path / name, options) for name in ("a", "a", "b")]
    assert Scores.model_validate_json((tmp_path / "a" / "scores.json").read_bytes()) == made[0] == made[2]
    assert made[0].scored_with == ScoredWith(seed=0, resamples=50)
    for name in ("scores.json", "manifest.json", "predictions.jsonl", "cases.jsonl", "baselines/oracle.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_case_is_a_line_of_the_scores(turned: Scores, tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.json", turned)
    text = (tmp_path / "scores.json").read_text(encoding="utf-8")
    assert sum(json.loads(line.rstrip(","))["key"] == "c3" for line in text.splitlines() if '"c3"' in line) == 1
    write_scores(tmp_path / "none.json", turned.model_copy(update={"cases": ()}))
    assert Scores.model_validate_json((tmp_path / "none.json").read_bytes()).cases == ()


def test_a_folder_with_a_different_run_is_refused(tmp_path: Path) -> None:
    handed = Submission(tmp_path / "mine.jsonl", REFERENCES, TURNED)
    handed.path.write_text("{}", encoding="utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text('{"model": {}}', encoding="utf-8")
    with pytest.raises(BenchmarkError, match="contains a run of `amrg benchmark run`"):
        score_submission(handed, tmp_path / "run", ScoringOptions("mine"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "predictions.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(BenchmarkError, match="use an empty folder"):
        score_submission(handed, tmp_path / "files", ScoringOptions("mine"))
