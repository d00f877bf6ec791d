"""A finished run on one page: its curves, figures, recipe, drafts beside their references, and what to do next."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from amrg.training.callbacks import NoCallback
from amrg.training.data.prepared import PreparedData
from amrg.training.loop.tuning import tune
from amrg.training.outputs.artifacts import read_training
from amrg.training.outputs.curves import Curve, chart, smooth
from amrg.training.outputs.summary import advice, read_columns, write_summary
from tests.training.small import RECIPE, base, fabricated


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    made = fabricated(base(tmp_path_factory.mktemp("bases")))
    return replace(made, skipped=(("case <x>", "its report has no text"), ("case y", "a|b cannot be read")))


@pytest.fixture(scope="module")
def run(prepared: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "a <run>"
    tune(prepared, RECIPE, folder, NoCallback())
    return folder


def test_the_page_opens_offline_and_shows_the_run(run: Path, prepared: PreparedData) -> None:
    page = (run / "summary.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!#)', page), "it asks for something from elsewhere"
    assert "<h1>a &lt;run&gt;</h1>" in page
    assert page.count("<svg") == 5
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids)), "two charts share an id"
    assert set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", page)) <= {(i, "") for i in ids} | {
        ("", i) for i in ids
    }
    for reported in ("UNVERIFIED", "lora.rank", "6,144", "made-up, split some", prepared.validation[0].text, "(n = 2)"):
        assert reported in page, reported
    text = (run / "summary.md").read_text(encoding="utf-8")
    assert "- lora.rank: 4" in text
    assert "score it on the test part" in text


def test_cases_that_were_left_out_are_kept_and_listed_with_their_reasons(run: Path) -> None:
    left_out = {"case <x>": "its report has no text", "case y": "a|b cannot be read"}
    assert read_training(run).skipped == left_out
    page, text = ((run / name).read_text(encoding="utf-8") for name in ("summary.html", "summary.md"))
    assert "<dt>case &lt;x&gt;</dt><dd>its report has no text</dd>" in page
    assert "- case y: a|b cannot be read" in text
    assert all("Skipped cases" in found and "2 cases were not used" in found for found in (page, text))


def test_where_nothing_was_left_out_nothing_is_listed(run: Path, prepared: PreparedData, tmp_path: Path) -> None:
    training = read_training(run).model_copy(update={"skipped": {}})
    for log in ("log.csv", "validation.csv"):
        (tmp_path / log).write_bytes((run / log).read_bytes())
    write_summary(tmp_path, RECIPE, training, prepared.validation, ())
    assert not any("Skipped cases" in (tmp_path / name).read_text("utf-8") for name in ("summary.html", "summary.md"))


def test_advice_follows_from_how_the_run_went(run: Path) -> None:
    training = read_training(run)
    watched = read_columns(run / "validation.csv")
    best_last = training.model_copy(update={"best_step": 6, "best": 0.5, "unscored": 0})
    reported = " ".join(advice(RECIPE, best_last, watched))
    assert "more steps may improve it (steps is 6)" in reported
    assert "loss rose" not in reported
    best_early = best_last.model_copy(update={"best_step": 3, "unscored": 2})
    reported = " ".join(advice(RECIPE, best_early, {"loss": [1.0, 1.2]}))
    assert "loss rose at the end" in reported
    assert "2 drafts name no BI-RADS category" in reported
    assert "more steps" not in reported


def test_charts_have_the_same_bytes_every_time() -> None:
    curves = [Curve("a", [1, 2], [0.5, 0.25]), Curve("b", [1, 2], [0.5, 1.0], marked=True)]
    assert chart("x", "two curves", curves) == chart("x", "two curves", curves)
    assert 'aria-label="two curves"' in chart("x", "two curves", curves)


def test_smoothing_keeps_a_constant_and_follows_slowly() -> None:
    assert smooth([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert smooth([0.0, 1.0])[1] == pytest.approx(0.1 / 0.19)
