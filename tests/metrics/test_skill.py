"""Skill: perfect is 1, blind is 0, errors count the other way, and where there is nothing to gain there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.metrics.families import Family
from amrg.metrics.intervals import Method
from amrg.metrics.metric import SHARE, Metric, mean_of, ratio
from amrg.metrics.skill import MetricSkill, best_blind, skills
from amrg.metrics.statistics import bootstrap

GROUPS = [f"g{i // 2}" for i in range(20)]


def metric(values: object, higher_is_better: bool = True) -> Metric:
    terms = mean_of(np.asarray(values, dtype=float))
    return Metric("share", Family.TEXT, "", terms, ratio, higher_is_better=higher_is_better)


def skill(system: Metric, blind: dict[str, Metric], perfect: Metric) -> MetricSkill:
    named = {name: {"share": m} for name, m in blind.items()}
    return skills({"share": system}, named, {"share": perfect}, bootstrap(GROUPS, draws=200))["share"]


@given(st.integers(0, 999), st.booleans())
@settings(max_examples=25, deadline=None)
def test_perfect_is_one_and_the_best_blind_is_nought(seed: int, higher: bool) -> None:
    rng = np.random.default_rng(seed)
    perfect = metric(np.full(20, 1.0 if higher else 0.0), higher)
    worse, better = (metric(np.abs(float(not higher) - q - 0.1 * rng.random(20)), higher) for q in (0.2, 0.6))
    blind = {"worse": worse, "better": better}
    assert skill(perfect, blind, perfect) == MetricSkill("better", 1.0, None, 10)  # no resample differs
    assert skill(better, blind, perfect) == MetricSkill("better", 0.0, None, 10)
    below = skill(worse, blind, perfect)
    assert below.value is not None
    assert below.value < 0


def test_half_the_way_is_a_half_in_either_direction() -> None:
    high = skill(metric([0.8] * 20), {"constant": metric([0.6] * 20)}, metric([1.0] * 20))
    low = skill(metric([1.0] * 20, False), {"constant": metric([2.0] * 20, False)}, metric([0.0] * 20, False))
    for found in (high, low):
        assert found.value == pytest.approx(0.5)


def test_a_perfect_share_has_the_skill_of_its_exact_interval() -> None:
    """All 20 groups right: the share is at least 0.025 ** (1 / 20), and so is the skill, scaled from blind."""
    bounded = {b: replace(metric([v] * 20), bounds=SHARE) for b, v in (("half", 0.5), ("all", 1.0))}
    found = skill(bounded["all"], {"constant": bounded["half"]}, bounded["all"])
    assert found.between is not None
    assert found.between.method is Method.EXACT
    least = 0.025 ** (1 / len(set(GROUPS)))
    assert (found.between.low, found.between.high) == pytest.approx(((least - 0.5) / 0.5, 1.0))


def test_the_interval_resamples_system_blind_and_perfect_together() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(20)  # cases differ, but the system is always half way from blind to perfect
    found = skill(metric(0.5 + hard / 2), {"constant": metric(hard)}, metric(np.ones(20)))
    assert found.value == pytest.approx(0.5)
    assert found.between is None  # no resample differs


@pytest.mark.parametrize("perfect", [0.7, 0.5])
def test_there_is_none_where_perfect_is_no_better_than_blind(perfect: float) -> None:
    found = skill(metric([0.9] * 20), {"constant": metric([0.7] * 20)}, metric([perfect] * 20))
    assert found == MetricSkill("constant", None, None, 10)


def test_a_case_that_the_system_failed_is_not_counted_against_blind_either() -> None:
    values, blind = np.full(20, 0.75), np.full(20, 0.5)
    values[:4], blind[:4] = np.nan, 0.9
    found = skill(metric(values), {"constant": metric(blind)}, metric(np.ones(20)))
    assert found.value == pytest.approx(0.5)


def test_without_a_blind_value_there_is_no_skill() -> None:
    nothing = metric([np.nan] * 20)
    assert best_blind({"constant": nothing}) is None
    right = {"share": metric([1.0] * 20)}
    assert skills(right, {"constant": {"share": nothing}}, right, bootstrap(GROUPS)) == {}


def test_a_baseline_that_scores_few_cases_is_not_the_best_for_that() -> None:
    """`seldom` is right in 3 of its 6 cases, and so in 3 of 60; `often` is right in 24 of 60."""
    groups = [f"g{i}" for i in range(60)]
    few, many, own = np.full(60, np.nan), (np.arange(60) < 24).astype(float), (np.arange(60) < 33).astype(float)
    few[:6] = (0, 1, 0, 1, 0, 1)
    blind = {
        name: {"share": metric(values), "share_strict": metric(np.nan_to_num(values))}
        for name, values in (("seldom", few), ("often", many))
    }
    perfect = metric(np.ones(60))
    found = skills({"share": metric(own)}, blind, {"share": perfect}, bootstrap(groups, draws=200))["share"]
    assert (found.blind, found.groups) == ("often", 60)
    assert found.value == pytest.approx((0.55 - 0.4) / 0.6)


def test_a_baseline_without_a_value_hides_no_skill() -> None:
    """`silent` names no density, so it is right in no case, as `wrong` is: only the other can be compared with."""
    silent, wrong = np.full(20, np.nan), np.zeros(20)
    blind = {
        name: {"share": metric(values), "share_strict": metric(np.nan_to_num(values))}
        for name, values in (("silent", silent), ("wrong", wrong))
    }
    right = {"share": metric(np.ones(20))}
    found = skills(right, blind, right, bootstrap(GROUPS, draws=200))["share"]
    assert (found.blind, found.value) == ("wrong", 1.0)
