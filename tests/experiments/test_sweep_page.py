"""A sweep's scores, table and page: from stored drafts of the validation part, with the test part not opened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from amrg.datasets import open_dataset
from amrg.experiments.sweep.config import SweepConfig
from amrg.experiments.sweep.definition import Alpha, Point, Search, Sweep, SweepBase, make_sweep
from amrg.experiments.sweep.page import write_sweep_page
from amrg.experiments.sweep.scores import SweepScores
from amrg.experiments.sweep.scoring import score_sweep
from amrg.experiments.sweep.table import build_sweep_table, is_distinguishable
from amrg.experiments.sweep.trials import Trial, TrialStatus
from amrg.experiments.sweep.worker import run_trials
from amrg.metrics.statistics import holm
from amrg.metrics.validation import WatchedMetric
from amrg.training.data.prepared import DataSource
from amrg.training.outputs.artifacts import PREDICTIONS
from amrg.training.recipe import Recipe, TargetText, Validation
from tests.benchmark.reader import draw
from tests.experiments.scored_sweeps import L, R, definition, finished, half, normal, right, written
from tests.experiments.sweeps import BRIEF, Silent
from tests.models.tiny import TINY
from tests.training.exams import split_as

SIDES = (R, L, None, R, *(R, L) * 4, None, *(R, L) * 6, None, L, R)
"""Four exams to train on, twenty-two to validate on, two to test."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    from amrg.datasets import import_dataset, importer_of

    folder = tmp_path_factory.mktemp("exams")
    list(import_dataset(importer_of("phantom"), draw(folder / "drawn", SIDES), folder / "data"))
    dataset = open_dataset(folder / "data")
    keys = dataset.keys()
    split_as(dataset, "some", (keys[:4], keys[4:26], keys[26:]))
    return DataSource(folder / "data", "some")


def grid(**fields: object) -> Sweep:
    defaults = {"bases": (SweepBase(name="one", source="one"), SweepBase(name="two", source="two")), "ranks": (2, 4)}
    recipe = Recipe(validation=Validation(metric=WatchedMetric.FINDING_F1))
    return make_sweep(**{**defaults, "alphas": (Alpha.parse("2x"),), "seeds": (0, 1), "recipe": recipe, **fields})


@pytest.fixture(scope="module")
def scored(source: DataSource, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SweepScores]:
    """Rank 4 of `one` reads, rank 2 half so; rank 2 of `two` always writes the same, rank 4 came to nothing."""
    folder = tmp_path_factory.mktemp("sweep")
    points = {(rank, seed): Point(rank=rank, alpha=2 * rank, seed=seed) for rank in (2, 4) for seed in (0, 1)}
    drafts = {
        finished("one", 0, points[2, 0], 0.5): half,
        finished("one", 1, points[2, 1], 0.5): half,
        finished("one", 2, points[4, 0], 1.0): right,
        finished("one", 3, points[4, 1], 0.9): lambda case, number: normal(case, 0) if number == 0 else right(case, 0),
        finished("two", 0, points[2, 0], 0.0): normal,
        finished("two", 1, points[2, 1], 0.0): normal,
    }
    ended = [
        Trial(
            base="two",
            number=2,
            status=TrialStatus.FAILED,
            point=points[4, 0],
            reason="loss is nan at step 3 on cases <a>",
        ),
        Trial(base="two", number=3, status=TrialStatus.PRUNED, point=points[4, 1], best=0.1, steps=4, reason="weaker"),
    ]
    trials = [*written(folder, source, drafts), *ended]
    scores = score_sweep(folder, source.data, definition(source, grid()), trials)
    write_sweep_page(folder, scores)
    return folder, scores


def test_the_best_has_the_highest_mean_over_seeds_and_all_of_them(scored: tuple[Path, SweepScores]) -> None:
    _, scores = scored
    assert scores.selection == "finding_f1_by_place"
    assert scores.best == "one r4 a8"
    assert scores.best_of == {"one": "one r4 a8", "two": "two r2 a4"}
    best = scores.configuration("one r4 a8")
    # Twenty exams with a mass, one of them missed by the second seed: F1 of 2 x 19 / (2 x 19 + 1).
    spread = best.spread[scores.selection]
    assert spread.high == 1.0
    assert spread.low == pytest.approx(38 / 39)
    assert spread.value == pytest.approx((1 + 38 / 39) / 2)
    # Pooled case by case: 39 found, 1 missed.
    assert best.metrics[scores.selection].value == pytest.approx(78 / 79)
    low, high = best.metrics[scores.selection].low, best.metrics[scores.selection].high
    assert low is not None
    assert high is not None
    assert low < 78 / 79 <= high


def test_a_failed_or_pruned_trial_has_no_value_and_its_configuration_is_not_selected(
    scored: tuple[Path, SweepScores],
) -> None:
    folder, scores = scored
    broken = scores.configuration("two r4 a8")
    assert (broken.metrics, broken.spread, broken.from_best, broken.complete) == ({}, {}, None, False)
    row = next(r for r in build_sweep_table(scores).rows if r[:3] == ("two", "4", "8"))
    assert row[-1] == "1 pruned, 1 failed"
    assert "0.000" not in row
    page = (folder / "sweep.html").read_text(encoding="utf-8")
    assert "loss is nan at step 3 on cases &lt;a&gt;" in page
    assert "1 trial failed and 1 pruned" in page


def test_a_mean_over_the_remaining_seeds_is_not_selected(source: DataSource, tmp_path: Path) -> None:
    one = grid(bases=(SweepBase(name="one", source="one"),))
    drafts = {
        finished("one", 0, Point(rank=2, alpha=4, seed=0), 0.5): half,
        finished("one", 1, Point(rank=2, alpha=4, seed=1), 0.5): half,
        finished("one", 2, Point(rank=4, alpha=8, seed=0), 1.0): right,
    }
    lost = Trial(
        base="one", number=3, status=TrialStatus.FAILED, point=Point(rank=4, alpha=8, seed=1), reason="memory ran out"
    )
    scores = score_sweep(tmp_path, source.data, definition(source, one), [*written(tmp_path, source, drafts), lost])
    assert scores.best == "one r2 a4"
    assert any("not selectable, since a seed was pruned" in w and "one r4 a8" in w for w in scores.warnings)


def test_differences_from_the_best_are_paired_and_corrected(scored: tuple[Path, SweepScores]) -> None:
    _, scores = scored
    difference = scores.configuration("one r2 a4").from_best
    assert difference is not None
    assert (difference.first, difference.second, difference.n) == (
        "one r4 a8",
        "one r2 a4",
        44,
    )  # drafts: 22 cases, two seeds
    assert difference.value == pytest.approx(
        (scores.configuration("one r2 a4").metrics[scores.selection].value or 0) - 78 / 79
    )
    others = [c.from_best for c in scores.configurations if c.from_best is not None]
    assert [m.p_holm for m in others] == holm([m.p or 0 for m in others])
    assert len(others) == 2
    assert is_distinguishable(scores.configuration("one r2 a4"))
    assert scores.configuration("one r4 a8").from_best is None


def test_seed_variance_is_no_difference_between_configurations(source: DataSource, tmp_path: Path) -> None:
    """Each configuration has a seed that reads and one that does not: over cases alone they would differ."""
    one = grid(bases=(SweepBase(name="one", source="one"),))
    drafts = {
        finished("one", 0, Point(rank=2, alpha=4, seed=0), 1.0): right,
        finished("one", 1, Point(rank=2, alpha=4, seed=1), 0.0): normal,
        finished("one", 2, Point(rank=4, alpha=8, seed=0), 1.0): right,
        finished("one", 3, Point(rank=4, alpha=8, seed=1), 0.5): half,
    }
    scores = score_sweep(tmp_path, source.data, definition(source, one), written(tmp_path, source, drafts))
    worse = scores.configuration("one r2 a4")
    assert scores.best == "one r4 a8"
    assert worse.from_best is not None
    assert worse.from_best.high is not None
    assert worse.from_best.high >= 0.0  # draws of the first seed alone
    assert worse.from_best.p == pytest.approx(0.5, abs=0.15)  # twice the quarter of draws of that seed alone
    assert not is_distinguishable(worse)
    low, high = worse.metrics[scores.selection].low, worse.metrics[scores.selection].high
    assert (low, high) == (0.0, 1.0)


def test_cases_that_could_not_be_read_are_warned_of(source: DataSource, tmp_path: Path) -> None:
    one = grid(bases=(SweepBase(name="one", source="one"),), ranks=(2,), seeds=(0,))
    trials = written(tmp_path, source, {finished("one", 0, Point(rank=2, alpha=4), 1.0): right})
    path = tmp_path / (trials[0].folder or "") / PREDICTIONS
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    scores = score_sweep(tmp_path, source.data, definition(source, one), trials)
    (message,) = (warning for warning in scores.warnings if "drafts are of" in warning)
    assert message.startswith("drafts are of 21 of the 22 validation cases: images or texts of the others cannot")


@pytest.mark.parametrize(("target_text", "same"), [(TargetText.CLINICAL, True), (TargetText.IMPRESSION_FIRST, False)])
def test_drafts_are_scored_against_the_target_text(
    target_text: TargetText, same: bool, source: DataSource, tmp_path: Path
) -> None:
    one = grid(
        bases=(SweepBase(name="one", source="one"),), ranks=(2,), seeds=(0,), recipe=Recipe(target_text=target_text)
    )
    trials = written(tmp_path, source, {finished("one", 0, Point(rank=2, alpha=4), 1.0): right})
    (only,) = score_sweep(tmp_path, source.data, definition(source, one), trials).configurations
    assert (only.metrics["rouge_l_f1_stemmed"].value == 1.0) is same


def test_skill_is_over_baselines_fitted_on_the_train_part(scored: tuple[Path, SweepScores]) -> None:
    _, scores = scored
    skill = scores.configuration("one r4 a8").metrics[scores.selection].skill
    assert skill is not None
    blind = scores.baselines[skill.blind]
    assert "from 4 train cases" in blind.about
    value, best = blind.metrics[scores.selection].value, 78 / 79
    assert value is not None
    assert skill.value == pytest.approx((best - value) / (1 - value))
    assert scores.configuration("two r2 a4").metrics[scores.selection].value == 0.0


def test_the_table_has_the_papers_columns(scored: tuple[Path, SweepScores]) -> None:
    folder, scores = scored
    table = build_sweep_table(scores)
    first = [
        "backbone",
        "rank",
        "alpha",
        "trainable",
        "finding f1 by place (selects)",
        "ROUGE-L",
        "CIDEr-D",
        "BI-RADS accuracy",
    ]
    assert [h for h in table.header if not h.startswith("METEOR")] == [
        *first,
        *("skill", "difference from best", "minutes", "peak GiB", "status"),
    ]
    cells = dict(zip(table.header, table.rows[1], strict=True))
    assert (cells["rank"], cells["trainable"], cells["minutes"], cells["peak GiB"]) == ("4", "4,000", "1.5", "1.00")
    assert "; seeds 0.974 to 1.000" in cells["finding f1 by place (selects)"]
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert text.count("\n| one") == 2
    assert "selected on the validation part alone, 22 cases" in text


def test_the_page_is_self_contained_and_deterministic(scored: tuple[Path, SweepScores], tmp_path: Path) -> None:
    folder, _ = scored
    page = (folder / "sweep.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "http" not in page
    assert page.count("<svg") == 2  # a heat map a backbone
    assert "one r4 a8: finding f1 by place 0.987" in page
    assert "0 of 2 others are not distinguishable from it" in page
    assert "the test part was not opened" in page
    write_sweep_page(tmp_path, SweepScores.model_validate_json((folder / "sweep.json").read_bytes()))
    assert (tmp_path / "sweep.html").read_text(encoding="utf-8") == page


def test_a_search_shows_its_samples_and_each_is_a_configuration(source: DataSource, tmp_path: Path) -> None:
    drawn = [
        Point(rank=2, alpha=4, learning_rate=rate, dropout=0.05, use_dora=dora, use_rslora=False)
        for rate, dora in ((1e-4, True), (3e-4, False))
    ]
    drafts = {finished("one", 0, drawn[0], 0.5): half, finished("one", 1, drawn[1], 1.0): right}
    lucky = grid(bases=(SweepBase(name="one", source="one"),), ranks=(2,), seeds=(0, 1), search=Search(trials=2))
    single = score_sweep(
        tmp_path / "lucky", source.data, definition(source, lucky), written(tmp_path / "lucky", source, drafts)
    )
    assert single.best is None  # one seed of the two requested
    what = grid(bases=(SweepBase(name="one", source="one"),), ranks=(2,), seeds=(0,), search=Search(trials=3))
    waiting = Trial(base="one", number=2, status=TrialStatus.WAITING)
    trials = [*written(tmp_path, source, drafts), waiting]
    scores = score_sweep(tmp_path, source.data, definition(source, what), trials)
    assert scores.best == "one trial 1 r2 a4"
    table = build_sweep_table(scores)
    assert table.header[3:7] == ("learning_rate", "dropout", "use_dora", "use_rslora")
    assert [row[3:7] for row in table.rows] == [("0.0001", "0.05", "yes", "no"), ("0.0003", "0.05", "no", "no")]
    page = write_sweep_page(tmp_path, scores).read_text(encoding="utf-8")
    assert "not finished: 1 trial running or waiting" in page
    assert page.count("<svg") == 1
    assert ">1.000</text>" in page  # the better of the two that fall into one cell


def test_drafts_on_another_machine_are_requested(source: DataSource, tmp_path: Path) -> None:
    trial = finished("one", 0, Point(rank=2, alpha=4), 0.5)
    one = grid(bases=(SweepBase(name="one", source="one"),), ranks=(2,), seeds=(0,))
    scores = score_sweep(tmp_path, source.data, definition(source, one), [trial])
    assert scores.best is None
    assert any("copy their folders here" in w for w in scores.warnings)
    assert "None yet" in write_sweep_page(tmp_path, scores).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY["gemma3"](tmp_path_factory.mktemp("tiny") / "gemma3")


@pytest.mark.usefixtures("no_charts")
def test_a_real_sweep_never_opens_the_test_part(source: DataSource, tiny: Path, tmp_path: Path) -> None:
    dataset = open_dataset(source.data)
    hidden = [dataset.root / image.file for key in dataset.split("some").test for image in dataset.case(key).images]
    for path in hidden:
        path.rename(path.with_suffix(".hidden"))
    recipe = Recipe(settings=BRIEF, steps=2, batch_size=2, learning_rate=1e-2, validation=Validation(every=1, cases=3))
    what = make_sweep(
        bases=(SweepBase(name="tiny", source=str(tiny)),),
        ranks=(2,),
        alphas=(Alpha.parse("2x"),),
        seeds=(0, 1),
        recipe=recipe,
    )
    try:
        order = SweepConfig(what, source, tmp_path)
        trials = run_trials(order, Silent())
        scores = score_sweep(tmp_path, source.data, order.definition, trials)
    finally:
        for path in hidden:
            path.with_suffix(".hidden").rename(path)
    assert [t.status for t in trials] == [TrialStatus.FINISHED] * 2
    assert scores.data.n == 3
    assert "drafts are of 3 of the 22 validation cases: the recipe validates on no more" in scores.warnings
    (only,) = scores.configurations
    # What training validated is what the stored drafts score.
    assert only.spread[scores.selection].value == pytest.approx(sum(t.best or 0 for t in trials) / 2)
    drafts = [(tmp_path / (t.folder or "") / PREDICTIONS).read_text(encoding="utf-8") for t in trials]
    assert all('"key"' in d for d in drafts)
    tested = set(dataset.split("some").test)
    assert not any(key in d for d in drafts for key in tested)


@pytest.mark.usefixtures("no_charts")
def test_a_trial_that_diverges_leaves_the_base_to_the_next(source: DataSource, tiny: Path, tmp_path: Path) -> None:
    """A real run whose loss is no number, then one that is as if the first had never been."""
    what = make_sweep(
        bases=(SweepBase(name="tiny", source=str(tiny)),),
        ranks=(2,),
        alphas=(Alpha.parse(f"{10**36}"), Alpha.parse("2")),
        recipe=Recipe(settings=BRIEF, steps=3, batch_size=2, validation=Validation(every=3, cases=1)),
    )
    wild, calm = run_trials(SweepConfig(what, source, tmp_path / "both"), Silent())
    assert wild.status is TrialStatus.FAILED
    assert "lower learning_rate" in (wild.reason or "")
    alone = what.model_copy(update={"alphas": what.alphas[1:]})
    (single,) = run_trials(SweepConfig(alone, source, tmp_path / "alone"), Silent())
    adapters = [tmp_path / "both" / (calm.folder or ""), tmp_path / "alone" / (single.folder or "")]
    one, other = ((folder / "adapter_model.safetensors").read_bytes() for folder in adapters)
    assert one == other


def test_a_configuration_whose_drafts_are_on_another_machine_is_not_selected(
    tmp_path: Path, source: DataSource
) -> None:
    points = {(p.rank, p.seed): p for p in grid().grid()}
    here = {
        finished("one", 0, points[2, 0], 1.0): right,
        finished("one", 3, points[4, 1], 0.9): half,
        finished("two", 0, points[2, 0], 0.2): normal,
        finished("two", 1, points[2, 1], 0.2): normal,
    }
    elsewhere = [finished("one", 1, points[2, 1], 1.0), finished("one", 2, points[4, 0], 1.0)]
    trials = [*written(tmp_path, source, here), *elsewhere]
    scores = score_sweep(tmp_path, source.data, definition(source, grid()), trials)
    assert scores.best == "two r2 a4"
    assert scores.configuration("one r2 a4").drafted == (points[2, 0].seed,)
    assert scores.configuration("one r2 a4").from_best is not None
    assert any("copy their folders here" in warning for warning in scores.warnings)
