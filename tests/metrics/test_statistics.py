"""Intervals and tests against plain loops, simulated truth and values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from amrg.metrics.families import Family
from amrg.metrics.intervals import Interval, Method, interval
from amrg.metrics.metric import SHARE, Array, Metric, mean_of, ratio
from amrg.metrics.statistics import (
    bootstrap,
    differences,
    holm,
    interval_over_groups,
    members,
    on_common_cases,
    over_seeds,
    randomisation,
    resampled_difference,
)


def f1(sums: Array) -> Array:
    """2 tp / (2 tp + fp + fn), of the terms (tp, fp, fn)."""
    return ratio(np.stack([2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2]], axis=-1))


def mean(values: Array | list[float], fewest: int = 1) -> Metric:
    return Metric("mean", Family.TEXT, "", mean_of(np.asarray(values, dtype=float)), ratio, fewest=fewest)


def some_metrics(seed: int, cases: int) -> list[Metric]:
    """A mean with unscored cases, an F1, and a mean that takes two cases to say anything."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(cases) < 0.3, np.nan, rng.random(cases))
    counts = rng.integers(0, 3, (cases, 3)).astype(float)
    return [mean(values), Metric("f1", Family.TEXT, "", counts, f1), mean(rng.random(cases), fewest=2)]


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_draw_is_the_metric_of_the_cases_drawn(cases: int, groups: int, seed: int) -> None:
    metrics = some_metrics(seed, cases)
    member = np.random.default_rng(seed).integers(0, groups, cases)
    drawn = bootstrap([f"g{m}" for m in member], seed, draws=7)
    values = drawn.draw(metrics)
    for d, times in enumerate(drawn.times):
        rows = np.concatenate([np.repeat(np.flatnonzero(drawn.member == g), t) for g, t in enumerate(times)])
        for m, metric in enumerate(metrics):
            plain = replace(metric, terms=metric.terms[rows]).value
            assert values[m, d] == pytest.approx(plain, nan_ok=True)


def test_every_draw_holds_as_many_groups_as_there_are() -> None:
    drawn = bootstrap(["b", "a", "b", "c"], seed=3, draws=500)
    assert drawn.member.tolist() == [1, 0, 1, 2]
    assert (drawn.times.sum(axis=1) == 3).all()
    assert drawn.times.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.15)
    assert (bootstrap(["b", "a", "b", "c"], seed=3, draws=500).times == drawn.times).all()
    assert (bootstrap(["b", "a", "b", "c"], seed=4, draws=500).times != drawn.times).any()


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng, held = np.random.default_rng(0), 0
    groups = [f"g{i // 3}" for i in range(180)]
    for trial in range(200):
        values = np.repeat(rng.normal(0, 1, 60), 3) + rng.normal(0, 0.5, 180)  # patients differ, images less so
        between = interval(bootstrap(groups, trial, 400).draw([mean(values)])[0], 60)
        held += between is not None and between.low <= 0 <= between.high
    assert 0.90 <= held / 200 <= 0.985


def over(metric: Metric, *others: Metric) -> Metric:
    """One metric of several seeds, seed after seed."""
    return replace(metric, terms=np.concatenate([metric.terms, *(other.terms for other in others)]))


@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_draw_of_seeds_is_the_metric_of_the_drafts_drawn(cases: int, groups: int, seeds: int, seed: int) -> None:
    several = [some_metrics(seed + one, cases) for one in range(seeds)]
    member = np.random.default_rng(seed).integers(0, groups, cases)
    single = bootstrap([f"g{m}" for m in member], seed, draws=7)
    drawn = over_seeds(single, seeds, seed)
    assert drawn.groups == single.groups
    pooled = [over(*same) for same in zip(*several, strict=True)]
    values = drawn.draw(pooled)
    for d, times in enumerate(drawn.times):
        by_seed = times.reshape(seeds, single.groups)
        assert by_seed.sum() == seeds * single.times[d].sum()
        chosen = by_seed.sum(axis=1) // single.times[d].sum()
        assert (by_seed == np.outer(chosen, single.times[d])).all()
        rows = np.concatenate([np.repeat(np.flatnonzero(drawn.member == g), t) for g, t in enumerate(times)])
        for m, metric in enumerate(pooled):
            plain = replace(metric, terms=metric.terms[rows]).value
            assert values[m, d] == pytest.approx(plain, nan_ok=True)


def test_systems_that_differ_by_seed_variance_alone_are_seldom_significant() -> None:
    """Two systems that are one, with seeds that differ far more than cases do; cases alone nearly always mislead."""
    rng, seldom, often = np.random.default_rng(0), 0, 0
    single = bootstrap([str(i) for i in range(40)], 0, 400)
    for trial in range(200):
        a, b = (over(*(mean(rng.normal(rng.normal(0, 1), 0.2, 40)) for _ in range(8))) for _ in range(2))
        seldom += resampled_difference(a, b, over_seeds(single, 8, trial)).p < 0.05
        cases = replace(single, member=np.tile(single.member, 8))
        often += resampled_difference(a, b, cases).p < 0.05
    assert seldom / 200 <= 0.15  # eight seeds: a little too often still
    assert often / 200 >= 0.5


def test_p_of_draws_agrees_with_their_interval() -> None:
    rng = np.random.default_rng(2)
    draws = bootstrap([str(i) for i in range(60)], 1)
    for gain in np.linspace(0.0, 0.5, 40):
        found = resampled_difference(mean(rng.normal(0, 1, 60)), mean(rng.normal(gain, 1, 60)), draws)
        assert found.between is not None
        apart = found.between.low > 0 or found.between.high < 0
        assert (found.p < 0.05) == apart or found.p == pytest.approx(0.05, abs=0.01)
    same = mean(rng.random(60))
    assert resampled_difference(same, same, draws).p == 1.0


def test_copies_of_a_case_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(1).normal(0, 1, 50)

    def width(groups: list[str], of: Array) -> float:
        between = interval(bootstrap(groups).draw([mean(of)])[0], len(set(groups)))
        assert between is not None
        return between.high - between.low

    once = width([f"g{i}" for i in range(50)], values)
    copies = np.repeat(values, 4)
    apart = width([f"g{i}" for i in range(200)], copies)
    together = width([f"g{i // 4}" for i in range(200)], copies)
    assert together == pytest.approx(once, rel=0.1)
    assert apart == pytest.approx(once / 2, rel=0.1)


def share(right: int, groups: int) -> Metric:
    """A share over groups of one case each, of which so many are right."""
    values = np.array([1.0] * right + [0.0] * (groups - right))
    return replace(mean(values), bounds=SHARE)


@pytest.mark.parametrize("groups", [5, 20, 60])
def test_a_share_of_nought_or_one_claims_no_certainty(groups: int) -> None:
    draws = bootstrap([f"g{i:03}" for i in range(groups)], 0, 500)
    for right in (0, groups):
        found = interval_over_groups(
            draws.draw([share(right, groups)])[0], draws, right / groups, [share(right, groups)]
        )
        assert found is not None
        assert found.method is Method.EXACT
        expected = binomtest(right, groups).proportion_ci(0.95, "exact")
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.high - found.low == pytest.approx(1 - 0.025 ** (1 / groups))


def test_near_one_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Exact coverage over all outcomes of a binomial, weighted with their probability: no draw of the outcome."""
    groups = 20
    draws = bootstrap([f"g{i:02}" for i in range(groups)], 0, 2000)
    metrics = [share(right, groups) for right in range(groups + 1)]
    resampled = draws.draw(metrics)
    bare = [interval(row, groups) for row in resampled]
    mended = [interval_over_groups(row, draws, m.value, [m]) for row, m in zip(resampled, metrics, strict=True)]

    def coverage(found: list[Interval | None], truth: float) -> float:
        holding = [k for k, one in enumerate(found) if one is not None and one.low <= truth <= one.high]
        return float(binom.pmf(holding, groups, truth).sum())

    for truth in (0.95, 0.97, 0.99, 0.999):
        assert coverage(bare, truth) < 0.7
        assert coverage(mended, truth) >= 0.95


def test_only_groups_that_say_anything_count_for_an_exact_interval() -> None:
    """A sensitivity of 1 over 40 patients of whom 4 have a cancer is that of 4, not of 40."""
    terms = np.array([[1.0, 1.0]] * 4 + [[0.0, 0.0]] * 36)
    sensitivity = Metric("sensitivity", Family.BIRADS, "", terms, ratio, bounds=SHARE)
    draws = bootstrap([f"g{i:02}" for i in range(40)], 3)
    found = interval_over_groups(draws.draw([sensitivity])[0], draws, 1.0, [sensitivity])
    assert found is not None
    assert found.low == pytest.approx(0.025 ** (1 / 4))
    three = over_seeds(draws, 3, 0)
    pooled = over(sensitivity, sensitivity, sensitivity)
    seeded = interval_over_groups(three.draw([pooled])[0], three, 1.0, [pooled])
    assert seeded is not None
    assert seeded.low == pytest.approx(0.025 ** (1 / 4))  # the same four patients, whatever the seed


def test_a_difference_is_over_the_groups_that_say_anything() -> None:
    """Of 40 patients 4 have a lesion: whatever happens to its boxes is seen in those alone."""
    hits = [np.array([[right, 1.0]] * 4 + [[0.0, 0.0]] * 36) for right in (1.0, 0.0)]
    before, after = (Metric("pointing", Family.PLACES, "", terms, ratio, bounds=SHARE) for terms in hits)
    (found,) = differences([before], [after], bootstrap([f"g{i:02}" for i in range(40)]))
    assert (found.n, found.groups) == (40, 4)


def test_two_systems_that_agree_in_every_group_may_still_differ() -> None:
    values = np.array([1.0, 0.0] * 10)
    one, two = (replace(mean(v), bounds=SHARE) for v in (values, values))
    draws = bootstrap([f"g{i:02}" for i in range(20)])
    (found,) = differences([one], [two], draws)
    assert found.between is not None
    reach = 1 - 0.025 ** (1 / 20)
    assert (found.between.low, found.between.high) == pytest.approx((-reach, reach))
    assert resampled_difference(one, two, draws).p == 1.0


def test_without_bounds_equal_resamples_give_no_interval() -> None:
    count = mean([0.0] * 20)  # errors a report: none seen, and no most that there can be
    draws = bootstrap([f"g{i:02}" for i in range(20)])
    assert interval_over_groups(draws.draw([count])[0], draws, 0.0, [count]) is None


def test_one_group_has_no_interval_and_neither_has_a_value_that_hardly_a_draw_has() -> None:
    assert interval(bootstrap(["a", "a"]).draw([mean([0.1, 0.9])])[0], 1) is None
    rare = mean([np.nan] * 9 + [1.0])  # a third of the draws leave the only scored case out
    assert interval(bootstrap(list("abcdefghij")).draw([rare])[0], 10) is None


def test_p_is_uniform_where_two_systems_are_one() -> None:
    rng, found = np.random.default_rng(5), []
    for trial in range(300):
        a, b = rng.normal(0, 1, (2, 40))
        member = members([f"g{i // 2}" for i in range(40)])
        found.append(randomisation([mean(a)], [mean(b)], member, trial, swaps=199)[0])
    for level in (0.05, 0.25, 0.5, 0.75):
        assert np.mean(np.array(found) <= level) == pytest.approx(level, abs=0.08)


def test_p_equals_the_count_over_all_swaps() -> None:
    rng = np.random.default_rng(2)
    first, second = (Metric("f1", Family.TEXT, "", rng.integers(0, 4, (8, 3)).astype(float), f1) for _ in "ab")
    member = np.array([0, 0, 1, 2, 2, 3, 4, 4])
    observed, at_least = abs(second.value - first.value), 0
    for swap in range(32):
        swapped = ((swap >> member) & 1).astype(bool)[:, None]
        one = replace(first, terms=np.where(swapped, second.terms, first.terms))
        two = replace(first, terms=np.where(swapped, first.terms, second.terms))
        at_least += abs(two.value - one.value) >= observed - 1e-12
    p = randomisation([first], [second], member, seed=0, swaps=20_000)[0]
    assert p == pytest.approx(at_least / 32, abs=0.01)


def test_p_of_the_same_outputs_is_one_and_of_a_clear_gain_the_least_there_is() -> None:
    values = np.random.default_rng(3).random(60)
    draws = bootstrap([str(i) for i in range(60)])
    same, gain = differences([mean(values)] * 2, [mean(values), mean(values + 0.5)], draws)
    assert (same.difference, same.between, same.p) == (0.0, None, 1.0)
    assert gain.difference == pytest.approx(0.5)
    assert gain.between is None
    assert gain.p == 1 / 10_001


def test_systems_are_compared_on_the_cases_that_both_score() -> None:
    first, second = mean([0.2, np.nan, 0.4, 0.6]), mean([0.3, 0.9, np.nan, 0.9])
    (found,) = differences([first], [second], bootstrap(["a", "b", "c", "d"]))
    assert found.n == 2
    assert (found.first, found.second) == pytest.approx((0.4, 0.6))
    a, b = on_common_cases(first, second)
    assert a.scored.tolist() == b.scored.tolist() == [True, False, False, True]


def test_a_metric_without_a_value_has_no_p() -> None:
    nothing = mean([np.nan, np.nan])
    (found,) = differences([nothing], [mean([1.0, 2.0])], bootstrap(["a", "b"]))
    assert (found.n, found.between) == (0, None)
    assert np.isnan(found.p)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1.0, 1.0])
    with_none = holm([0.02, float("nan"), 0.03])
    assert with_none[0::2] == pytest.approx([0.04, 0.04])
    assert np.isnan(with_none[1])
    assert holm([]) == []
