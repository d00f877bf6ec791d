"""All clinical metrics together: names, failed cases, claims, and the real reports of DMID against themselves."""

from __future__ import annotations

import dmid_data
import numpy as np
import pytest

from amrg.birads import Laterality, View, check, parse
from amrg.metrics.bulk_parsing import read_reports
from amrg.metrics.clinical.contradictions import compares
from amrg.metrics.clinical.suite import clinical_metrics
from amrg.metrics.strict import STRICT
from tests.benchmark.making import by_name, made, values, written

ERRORS = ("hallucinated", "omitted", "contradictions", "invented", "misplaced", "mammogreen_")


def test_errors_are_lower_the_better_and_every_metric_says_how_it_was_computed() -> None:
    metrics = clinical_metrics([written("BIRADS: 4a. Mass in the left breast.", "BIRADS: 4a. No mass.")])
    for metric in metrics:
        is_error = metric.name.startswith(ERRORS) and metric.name != "mammogreen_score"
        assert metric.higher_is_better is not is_error, metric.name
        assert metric.about
        assert "\n" not in metric.about


def test_a_failed_case_changes_only_what_counts_every_case() -> None:
    pairs = [written("BIRADS: 4a. ACR B. Mass.", "BIRADS: 4b. ACR C. Mass."), written("BIRADS: 1.", "BIRADS: 2.")]
    failed = written("BIRADS: 5. Mass in the left breast.", None)
    before, after = values(pairs), values([*pairs, failed])
    every = {n for n in before if n.endswith(STRICT) or "_majority_share" in n} | {"clinical_mean"}
    assert str({n: v for n, v in before.items() if n not in every}) == str(
        {n: after[n] for n in after if n not in every}
    )
    assert (before["birads_accuracy_7_worst_strict"], after["birads_accuracy_7_worst_strict"]) == (1 / 2, 1 / 3)
    for metric in clinical_metrics([failed, *pairs]):
        assert metric.name in every or np.isnan(metric.terms[0]).all(), metric.name


def test_contradictions_know_the_views_that_were_taken() -> None:
    draft = parse("BIRADS: 4b. There is a mass in the right breast.").report
    metric = "contradictions_a_report"
    assert values([made(draft, draft)])[metric] == 0.0
    assert values([made(draft, draft, ((Laterality.LEFT, View.CC),))])[metric] == 1.0
    stated = parse("BIRADS: 1. There is a spiculated mass in the left breast.").report
    assert values([made(stated, stated)])[metric] == len(check(stated)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stable mass in the left breast.", True),
        ("COMPARISON: Mammogram of 2019-03-04.", True),
        ("No interval change.", True),
        ("Normal breasts, unchanged since the prior examination.", True),
        ("COMPARISON: None.", False),
        ("No prior mammogram is available for comparison; interval change cannot be told.", False),
        ("Mass in the left breast. BIRADS: 4.", False),
    ],
)
def test_what_compares_with_a_prior(text: str, expected: bool) -> None:
    assert compares(parse(text).report, text) is expected


def test_an_invented_comparison_is_counted_over_cases_without_a_prior() -> None:
    plain, compared = "Mass in the left breast.", "Stable mass in the left breast."
    prior = made(parse(plain).report, parse(compared).report, has_prior=True)
    found = values([written(plain, compared), written(plain, plain), prior, written(compared, compared)])
    assert found["invented_comparisons"] == 1 / 2
    assert found["mammogreen_false_findings"] == 1 / 4


@pytest.mark.skipif(not dmid_data.DMID.is_dir(), reason="the DMID reports are not beside this checkout")
def test_real_reports_against_themselves_are_perfect() -> None:
    real = list(dmid_data.dmid_reports().values())
    reports = [r for r in read_reports(real) if r is not None]
    metrics = clinical_metrics([made(r, r) for r in reports])
    expected = {m.name: float(m.higher_is_better) for m in metrics}
    expected["contradictions_a_report"] = sum(len(check(r)) for r in reports) / len(reports)  # the references' own
    no_breast = {"birads_accuracy_7_each_breast", f"birads_accuracy_7_each_breast{STRICT}"}
    expected |= dict.fromkeys(no_breast, np.nan)  # one picture a report: no breast is named
    found = by_name(metrics)
    shares = [name for name in found if "_majority_share" in name]  # of the references, whatever is drafted
    expected |= {name: found[name] for name in shares}
    assert {k: v for k, v in found.items() if v != pytest.approx(expected[k], abs=1e-12, nan_ok=True)} == {}
    unscored = {m.name for m in metrics if not m.scored.all()}
    one_sided = {name for name in found if "sensitivity" in name or "specificity" in name}  # of cases of their side
    assert unscored == no_breast | one_sided
    assert found["contradictions_a_report"] < 0.1  # most of them irregular or indistinct masses called 3
