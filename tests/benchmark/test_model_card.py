"""The card's numbers are a benchmark run's: the same exams, run again by the command, give the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amrg.benchmark.layout import SCORES, Perturbation
from amrg.benchmark.model_card import (
    ATTRIBUTION,
    BLANKED_METRICS,
    METRICS,
    SPLIT,
    Exams,
    card_metrics,
    card_of,
    score_exams,
    training_facts,
)
from amrg.cli import app
from amrg.experiments.film_figures import FIGURES
from amrg.generation.engines.local import local_engine
from amrg.metrics.scores import MetricScore, Scores
from amrg.models import ModelCard, model_card
from amrg.models.card import CardMetric
from amrg.models.load import load_model
from amrg.phantom import Size

pytestmark = pytest.mark.usefixtures("no_page_charts")

EXAMS = Exams(Size.SMALL, 2)


def quiet(what: str, done: int, count: int) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("card")


@pytest.fixture(scope="module")
def scores(folder: Path) -> Scores:
    return score_exams(EXAMS, local_engine(load_model()), folder, 1, quiet)


def same(metric: CardMetric, score: MetricScore) -> bool:
    return (metric.value, metric.low, metric.high, metric.n, metric.unscored, metric.about) == (
        *(score.value, score.low, score.high, score.n, score.unscored, score.about),
    )


def test_the_command_gives_the_cards_numbers_on_the_same_exams(folder: Path, scores: Scores, tmp_path: Path) -> None:
    metrics = list(card_metrics(scores, EXAMS.described))
    assert [m.name for m in metrics] == [*METRICS, *BLANKED_METRICS]
    data = str(folder / "small-2" / "data")
    options = ["--data", data, "--split", SPLIT, "--perturbed", "2", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, ["benchmark", "run", *options])
    assert done.exit_code == 0, done.output
    again = Scores.model_validate_json((tmp_path / "run" / SCORES).read_bytes())
    plain, blanked = metrics[: len(METRICS)], metrics[len(METRICS) :]
    assert all(same(m, again.systems[again.system].metrics[m.name]) for m in plain)
    assert all(same(m, again.perturbed[Perturbation.BLANKED].metrics[m.name]) for m in blanked)


def test_measured_again_nothing_is_drawn_or_drafted(folder: Path, scores: Scores) -> None:
    def files() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.suffix in (".dcm", ".parquet")}

    before = files()
    assert score_exams(EXAMS, local_engine(load_model()), folder, 1, quiet) == scores
    assert files() == before


def test_the_card_states_model_metrics_and_how_they_are_defined(scores: Scores, tmp_path: Path) -> None:
    card = card_of(load_model(), list(card_metrics(scores, EXAMS.described)))
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
    assert card.weights_sha256
    assert {m.images for m in card.metrics} == {"images as drawn", "images blanked"}
    assert all(m.about and "2 small phantom exams" in m.on and m.n + m.unscored == 2 for m in card.metrics)


def test_a_share_of_real_views_is_a_whole_number_of_the_views_that_it_is_of() -> None:
    named = {f"{part}_{figure.name}": figure for part, figures in FIGURES.items() for figure in figures}
    for metric in (m for m in model_card().metrics if m.name in named and named[m.name].share):
        assert metric.value is not None
        assert metric.value * metric.n == pytest.approx(round(metric.value * metric.n), abs=1e-6), metric.name
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low < metric.high, metric.name


def test_the_card_has_the_sources_of_the_notice() -> None:
    notice = (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")
    paragraphs = [" ".join(paragraph.split()) for paragraph in notice.split("\n\n")]
    assert tuple(paragraphs[1:]) == ATTRIBUTION == model_card().attribution


def test_the_card_counts_every_stage_of_training_and_every_exam_once() -> None:
    once = [{"population": "rich", "first_seed": 0, "exams": 3}]
    again = [
        {"population": "rich", "first_seed": 2, "exams": 2},
        {"population": "screening", "first_seed": 2, "exams": 1},
    ]
    stages = dict(zip(("small", "full", "further", "regions"), ({"steps": n} for n in (1, 2, 4, 8)), strict=True))
    drawn = {"drawn": once, "varied": [], "further_drawn": again, "further_varied": [], "regions_drawn": once}
    recipe = {
        "software": "1.0",
        "tower": {**stages, **drawn, "regions_varied": []},
        "language_exams": once + again,
        "language_first": {"steps": 16},
        "language": {"steps": 32},
        "language_last": {"steps": 64},
        "averaged_runs": 2,
    }
    assert training_facts(recipe) == {
        "tower exams": 5,
        "tower steps": 7,
        "second look exams": 3,
        "second look steps": 8,
        "language exams": 5,
        "language steps": 176,
        "software": "1.0",
    }


def test_the_shipped_card_is_of_the_shipped_weights_and_names_the_same_metrics() -> None:
    card = model_card()
    loaded = load_model()
    assert card.weights_sha256 == loaded.weights_hash
    assert card.training == card_of(loaded, []).training
    of_films = {f"{part}_{figure.name}" for part, figures in FIGURES.items() for figure in figures}
    assert {m.name for m in card.metrics} == {*METRICS, *BLANKED_METRICS, *of_films}
    assert all(source in " ".join(card.attribution) for source in ("CBIS-DDSM", "CDD-CESM", "EfficientNet"))
    printed = json.loads(CliRunner().invoke(app, ["model", "card", "--json"]).stdout)
    assert ModelCard.model_validate_json(json.dumps(printed)) == card
