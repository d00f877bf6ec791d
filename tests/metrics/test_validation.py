"""The metrics of early stopping: by hand, and the same number for the same drafts wherever the name stands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.benchmark.scoring.measure import open_metrics, pairs_of
from amrg.birads import Report, parse, render
from amrg.datasets import Case, ReferenceSource
from amrg.datasets.case import NO_FINDINGS
from amrg.metrics.clinical.suite import clinical_metrics
from amrg.metrics.metric import Metric, by_name
from amrg.metrics.pairs import Pair
from amrg.metrics.prediction import Prediction
from amrg.metrics.statistics import bootstrap
from amrg.metrics.strict import with_empty_drafts
from amrg.metrics.summaries import metric_scores
from amrg.metrics.validation import (
    WatchedMetric,
    draft_pair,
    watched_metrics,
    without_category,
)
from amrg.training.data.samples import Sample
from amrg.training.loop.validating import validation_scores, validation_values
from tests.birads.strategies import reports

MASS = "Findings: a mass in the upper outer quadrant of the right breast."
REFERENCE = f"Breast composition: b. {MASS} BI-RADS 4A."
SILENT = f"{MASS}"
"""A draft that names neither a category nor a composition."""


def case_of(key: str, text: str, reference: Report | None = None, notes: tuple[str, ...] = ()) -> Case:
    return Case(
        key=key,
        dataset="made-up",
        group=f"patient {key}",
        source=ReferenceSource.PHANTOM,
        licence="CC0",
        images=(),
        reference=parse(text).report if reference is None else reference,
        text=text,
        notes=notes,
    )


def sample_of(case: Case) -> Sample:
    known = NO_FINDINGS not in case.notes
    return Sample(case.key, {}, (), case.text, case.reference, group=case.group, findings_known=known)


def benchmarked(cases: Sequence[Case], texts: Sequence[str]) -> dict[str, Metric]:
    """All metrics that `amrg benchmark` computes of some drafts, by name."""
    with open_metrics(cases) as measure:
        return by_name(
            measure(pairs_of(cases, [Prediction(key=c.key, text=t) for c, t in zip(cases, texts, strict=True)]))
        )


def watched(pairs: Sequence[Pair]) -> dict[WatchedMetric, float]:
    return {name: metric.value for name, metric in watched_metrics(pairs).items()}


def test_by_hand() -> None:
    references = [
        f"Breast composition: b. {MASS} BI-RADS 4A.",
        "Breast composition: c. No mass. BI-RADS 1.",
        "No mass. BI-RADS 2.",
        "Breast composition: a. No mass.",
    ]
    drafts = [
        f"Breast composition: b. {MASS} BI-RADS 4C.",  # 4A and 4C are both 4
        f"Breast composition: d. {MASS} BI-RADS 2.",
        "Breast composition: c. No mass.",  # names no category: wrong
        "Breast composition: a. BI-RADS 5.",  # the reference names none: not counted
    ]
    pairs = [draft_pair(str(i), parse(r).report, d) for i, (r, d) in enumerate(zip(references, drafts, strict=True))]
    found = watched(pairs)
    assert found[WatchedMetric.BIRADS] == pytest.approx(1 / 3)
    assert found[WatchedMetric.DENSITY] == pytest.approx(2 / 3)
    assert found[WatchedMetric.FINDING_F1] == pytest.approx(2 * 1 / (2 * 1 + 1 + 0))
    assert found[WatchedMetric.CLINICAL] == pytest.approx((1 / 3 + 2 / 3 + 2 / 3) / 3)
    assert without_category(pairs) == 1
    assert set(found) == set(WatchedMetric)


def test_another_side_or_quadrant_is_no_match() -> None:
    reference = parse(MASS).report
    for draft in (MASS.replace("right", "left"), MASS.replace("upper", "lower")):
        assert watched([draft_pair("a", reference, draft)])[WatchedMetric.FINDING_F1] == 0.0


def test_what_no_reference_has_is_no_number_and_in_no_mean() -> None:
    found = watched([draft_pair("a", parse("No mass. BI-RADS 2.").report, "BI-RADS 2.")])
    assert math.isnan(found[WatchedMetric.DENSITY])
    assert math.isnan(found[WatchedMetric.FINDING_F1])
    assert found[WatchedMetric.CLINICAL] == found[WatchedMetric.BIRADS] == 1.0
    nothing = watched([draft_pair("a", Report(), "BI-RADS 2.")])
    assert all(math.isnan(value) for value in nothing.values())


def test_findings_that_a_data_set_does_not_publish_are_counted_nowhere() -> None:
    cases = [case_of("a", "BI-RADS 2.", notes=(NO_FINDINGS,)), case_of("b", MASS + " BI-RADS 4.")]
    drafts = [f"{MASS} BI-RADS 2.", f"{MASS} BI-RADS 4."]
    values, metrics = validation_values(drafts, [sample_of(c) for c in cases]), benchmarked(cases, drafts)
    assert values[WatchedMetric.FINDING_F1] == metrics["finding_f1_by_place"].value == 1.0
    assert metrics["finding_f1_by_place"].scored.tolist() == [False, True]
    assert metrics["clinical_mean"].scored.tolist() == [True, True]


def test_a_draft_without_a_category_counts_the_same_everywhere() -> None:
    """Wrong under `_strict` and unscored without it: in training, on a sweep's page, on the card, in the benchmark."""
    cases = [case_of(key, REFERENCE) for key in "abcd"]
    drafts = [REFERENCE, REFERENCE, REFERENCE, SILENT]
    metrics = benchmarked(cases, drafts)  # the card's figures are these
    training = validation_values(drafts, [sample_of(case) for case in cases])
    predictions = [Prediction(key=c.key, text=t) for c, t in zip(cases, drafts, strict=True)]
    sweep = watched(with_empty_drafts(pairs_of(cases, predictions)))
    for name in WatchedMetric:
        assert training[name] == sweep[name] == metrics[name.value].value
    assert metrics["birads_accuracy_7_worst_strict"].value == metrics["density_accuracy_strict"].value == 3 / 4
    assert metrics["birads_accuracy_7_worst"].value == metrics["density_accuracy"].value == 1.0
    assert int(metrics["birads_accuracy_7_worst"].scored.sum()) == 3


def test_an_empty_draft_of_a_trained_model_is_wrong_and_of_an_unknown_system_failed() -> None:
    cases = [case_of(key, REFERENCE) for key in "ab"]
    failed = [Prediction(key="a", text=REFERENCE), Prediction(key="b", text=None, error="empty")]
    pairs = pairs_of(cases, failed)
    assert watched(pairs)[WatchedMetric.FINDING_F1] == 1.0  # leaves out the case
    assert watched(pairs)[WatchedMetric.BIRADS] == 1 / 2  # counts it as wrong
    sweep = watched(with_empty_drafts(pairs))
    assert sweep == validation_values([REFERENCE, ""], [sample_of(case) for case in cases])
    assert sweep[WatchedMetric.BIRADS] == 1 / 2
    assert sweep[WatchedMetric.FINDING_F1] == 2 / 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(reports(), reports(), st.booleans()), min_size=1, max_size=6))
def test_validation_and_benchmark_give_the_same_numbers(made: list[tuple[Report, Report, bool]]) -> None:
    cases = [
        case_of(str(i), "as drawn", reference, () if known else (NO_FINDINGS,))
        for i, (reference, _, known) in enumerate(made)
    ]
    drafts = [render(draft) for _, draft, _ in made]
    scores = validation_scores(drafts, [sample_of(case) for case in cases])
    predictions = [Prediction(key=c.key, text=t) for c, t in zip(cases, drafts, strict=True)]
    metrics = by_name(clinical_metrics(pairs_of(cases, predictions)))
    stored = metric_scores(list(metrics.values()), bootstrap([case.group for case in cases]))
    assert {name.value: score for name, score in scores.items()} == {name: stored[name] for name in WatchedMetric}
