"""BI-RADS and density: the rules for several categories, silence that is no category, kappa, work-up, confusions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.birads import Assessment, Category, Composition, Laterality, Report
from amrg.metrics.clinical.categories import category_metrics, confusions, quadratic_kappa
from amrg.metrics.skill import skills
from amrg.metrics.statistics import bootstrap
from amrg.metrics.strict import STRICT
from tests.benchmark.making import by_name, made, value_of, values, written


def _report(*categories: str, composition: str | None = None) -> Report:
    return Report(
        assessments=tuple(Assessment(category=Category(c)) for c in categories),
        composition=None if composition is None else Composition(composition),
    )


@pytest.mark.parametrize(
    ("draft", "worst", "same", "first"),
    [("BIRADS: 5", 1, 0, 0), ("BIRADS: 3", 0, 0, 1), ("BIRADS: 5 and 3", 1, 1, 0), ("BIRADS: 3, 5", 1, 1, 1)],
)
def test_three_and_five_under_each_rule(draft: str, worst: int, same: int, first: int) -> None:
    found = values([written("BIRADS: 3 and 5", draft)])
    assert [found[f"birads_accuracy_7_{rule}"] for rule in ("worst", "set", "first")] == [worst, same, first]


def test_a_report_without_a_category_is_unscored_and_wrong_only_under_strict() -> None:
    silent = written("BIRADS: 1", "No abnormal opacity is seen. ACR B.")
    metrics = {m.name: m for m in category_metrics([silent, written("BIRADS: 1", "BIRADS: 1")])}
    for rule in ("worst", "set", "first"):
        plain, strict = metrics[f"birads_accuracy_7_{rule}"], metrics[f"birads_accuracy_7_{rule}_strict"]
        assert (plain.value, plain.scored.tolist()) == (1.0, [False, True])
        assert (strict.value, strict.scored.tolist()) == (0.5, [True, True])
    reference = {m.name: m for m in category_metrics([written("No mass.", "BIRADS: 1")])}
    assert not reference["birads_accuracy_7_worst_strict"].scored.any()
    assert not reference["density_accuracy_strict"].scored.any()


def test_a_failed_case_is_in_no_number_but_those_that_count_every_case() -> None:
    failed = written("BIRADS: 1. ACR B.", None)
    metrics = category_metrics([failed])
    every = {m.name for m in metrics if m.name.endswith(STRICT) or "_majority_share" in m.name}
    of_others = {name for name in every if "sensitivity" in name or "each_breast" in name}
    assert {m.name for m in metrics if m.scored.any()} == every - of_others
    assert {c.counts[1][-1] for c in confusions([failed]).values()} == {1}  # category 1, composition b: unscored


def test_every_case_counts_under_strict_in_each_kind_of_metric() -> None:
    """Of four cases the draft answers one, and that is right; the others are silent, or failed."""
    references = ["BIRADS: 1. ACR A.", "BIRADS: 5. ACR D.", "BIRADS: 0. ACR B.", "BIRADS: 2. ACR C."]
    drafts = ["BIRADS: 1. ACR A.", "No mass is seen.", None, "Findings: a mass is seen."]
    found = {m.name: m for m in category_metrics([written(r, d) for r, d in zip(references, drafts, strict=True)])}
    for name in ("birads_accuracy_7_worst", "birads_accuracy_4abc_first", "density_accuracy"):
        assert (found[name].value, found[name].scored.sum()) == (1.0, 1)
        assert (found[f"{name}{STRICT}"].value, found[f"{name}{STRICT}"].scored.sum()) == (0.25, 4)
    assert np.isnan(found["workup_sensitivity_0_4_5_6"].value)
    assert found[f"workup_sensitivity_0_4_5_6{STRICT}"].value == 0.0
    assert found["workup_specificity_0_4_5_6"].value == 1.0
    assert found[f"workup_specificity_0_4_5_6{STRICT}"].value == 0.5
    farthest = _kappa_of_table([(0, 0), (5, 0), (3, 6), (1, 6)])  # rank 3 of 0 to 6 is as far from either end
    strict = found[f"birads_kappa_quadratic_7_worst{STRICT}"].value
    assert strict == pytest.approx(farthest)
    assert np.isnan(found["birads_kappa_quadratic_7_worst"].value)  # of one case


def test_four_a_and_four_b_are_one_of_seven_and_two_with_letters() -> None:
    found = values([written("BIRADS: 4a", "BIRADS: 4B")])
    assert found["birads_accuracy_7_worst"] == found["birads_accuracy_7_set"] == 1.0
    assert found["birads_accuracy_4abc_worst"] == found["birads_accuracy_4abc_first"] == 0.0


@pytest.mark.parametrize("spelling", ["BIARDS: 4c", "BIRADS-4C", "BI-RADS category 4c", "BIRADS 4 c"])
def test_spellings_of_real_reports(spelling: str) -> None:
    assert value_of("birads_accuracy_4abc_worst", "BIRADS: 4c", spelling) == 1.0


def test_the_category_may_stand_after_the_findings() -> None:
    before = "ACR B. BIRADS: 4b. Findings: spiculated mass in the upper outer quadrant."
    after = "ACR B. Findings: spiculated mass in the upper outer quadrant. BIRADS: 4b."
    found = values([written(before, after)])
    assert found["birads_accuracy_4abc_first"] == found["mammogreen_score"] == found["finding_f1_by_lesion"] == 1.0


def test_each_breast_is_compared_with_itself() -> None:
    right, left = Laterality.RIGHT, Laterality.LEFT
    reference = Report(
        assessments=(
            Assessment(category=Category.NEGATIVE, laterality=right),
            Assessment(category=Category.HIGHLY_SUGGESTIVE, laterality=left),
        )
    )
    swapped = Report(
        assessments=(
            Assessment(category=Category.HIGHLY_SUGGESTIVE, laterality=right),
            Assessment(category=Category.NEGATIVE, laterality=left),
        )
    )
    found = values([made(reference, swapped)])
    assert (found["birads_accuracy_7_worst"], found["birads_accuracy_7_each_breast"]) == (1.0, 0.0)
    assert found["mammogreen_wrong_birads"] == 1.0
    assert values([made(reference, reference)])["birads_accuracy_7_each_breast"] == 1.0


def test_workup_and_abnormal_differ_in_category_three() -> None:
    pairs = [made(_report(t), _report(d)) for t, d in [("0", "3"), ("4A", "5"), ("3", "1"), ("1", "0"), ("2", "2")]]
    found = by_name(category_metrics(pairs))
    assert found["workup_sensitivity_0_4_5_6"] == 1 / 2
    assert found["workup_specificity_0_4_5_6"] == 2 / 3
    assert found["abnormal_sensitivity_0_3_4_5_6"] == 2 / 3
    assert found["abnormal_specificity_0_3_4_5_6"] == 1 / 2


def _kappa_of_table(pairs: list[tuple[int, int]]) -> float:
    """Cohen's kappa from the confusion table with quadratic weights, as textbooks have it."""
    table = np.zeros((9, 9))
    for x, y in pairs:
        table[x, y] += 1
    weights = (np.arange(9)[:, None] - np.arange(9)[None]) ** 2
    chance = np.outer(table.sum(1), table.sum(0)) / table.sum()
    return float(1 - (weights * table).sum() / (weights * chance).sum())


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=40))
def test_kappa_equals_that_of_the_confusion_table(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=float).T
    sums = np.array([((x - y) ** 2).sum(), (x**2 + y**2).sum(), x.sum(), y.sum(), len(pairs)])
    if len(set(x) | set(y)) == 1:
        assert np.isnan(quadratic_kappa(sums))
    else:
        assert quadratic_kappa(sums) == pytest.approx(_kappa_of_table(pairs), abs=1e-12)


def test_kappa_of_categories_ranks_by_suspicion() -> None:
    drafts = [("1", "1"), ("2", "1"), ("3", "0"), ("0", "3"), ("5", "4"), ("6", "6"), ("4A", "4"), ("4", "4B")]
    rank_7 = {"1": 0, "2": 1, "3": 2, "0": 3, "4": 4, "5": 5, "6": 6}
    rank_4abc = {"1": 0, "2": 1, "3": 2, "0": 3, "4A": 4, "4": 5, "4B": 5, "4C": 6, "5": 7, "6": 8}
    found = by_name(category_metrics([made(_report(t), _report(d)) for t, d in drafts]))
    seven = _kappa_of_table([(rank_7[t[0]], rank_7[d[0]]) for t, d in drafts])
    letters = _kappa_of_table([(rank_4abc[t], rank_4abc[d]) for t, d in drafts])
    assert found["birads_kappa_quadratic_7_worst"] == pytest.approx(seven, abs=1e-12)
    assert found["birads_kappa_quadratic_4abc_worst"] == pytest.approx(letters, abs=1e-12)


def test_every_patient_counts_in_the_skill_of_kappa() -> None:
    """No patient alone has a kappa; that of sixty is over sixty, for a verdict too."""
    stated = [_report(str(1 + i % 5)) for i in range(60)]
    drafts = {"right": stated, "near": [_report(str(1 + (i + i % 3 // 2) % 5)) for i in range(60)]}
    drafts |= {"late": [*stated[1:], stated[0]]}
    measured = {
        name: {m.name: m for m in category_metrics([made(t, d) for t, d in zip(stated, given, strict=True)])}
        for name, given in drafts.items()
    }
    draws = bootstrap([str(i) for i in range(60)])
    found = skills(measured["near"], {"late": measured["late"]}, measured["right"], draws)
    assert found["birads_kappa_quadratic_7_worst"].groups == found["birads_accuracy_7_worst"].groups == 60


def test_density_has_accuracy_and_kappa() -> None:
    pairs = [made(_report(composition=t), _report(composition=d)) for t, d in map(tuple, ["aa", "bb", "cd", "db"])]
    found = by_name(category_metrics(pairs))
    assert found["density_accuracy"] == 0.5
    assert found["density_kappa_quadratic"] == pytest.approx(_kappa_of_table([(0, 0), (1, 1), (2, 3), (3, 1)]))


def test_confusions_count_silence_last() -> None:
    pairs = [
        made(_report("4A", composition="b"), _report("4B", composition="c")),
        made(_report("3", "5"), _report()),
        made(_report(), _report("1")),
    ]
    tables = confusions(pairs)
    assert {name: np.sum(t.counts) for name, t in tables.items()} == {"birads": 2, "birads_4abc": 2, "density": 1}
    assert (tables["birads"].counts[4][4], tables["birads"].counts[5][-1]) == (1, 1)
    letters = tables["birads_4abc"].labels
    assert tables["birads_4abc"].counts[letters.index("4A")][letters.index("4B")] == 1
    assert tables["density"].counts[1][2] == 1
