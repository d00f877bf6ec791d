"""Every family drafts a study and is scored, through the one engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amrg.cli import Exit, app
from amrg.generation import draft_report
from amrg.generation.engines.local import load_engine
from amrg.imaging import read_studies
from tests.models.tiny import TINY


def amrg(*arguments: object) -> None:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == Exit.OK, done.output


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    amrg("phantom", folder, "--count", 2, "--seed", 1_000_001, "--size", "small")
    return folder


@pytest.mark.parametrize("family", sorted(TINY))
def test_every_family_drafts_a_study(family: str, drawn: Path, tmp_path: Path) -> None:
    engine = load_engine(str(TINY[family](tmp_path)))
    study = read_studies(drawn).studies[0]
    first, again = (draft_report(study, engine, force=True) for _ in range(2))
    assert first.model_text == again.model_text
    assert first.model_text
    assert first.report.provenance is not None
    assert first.report.provenance.model == tmp_path.name


def test_a_family_that_is_not_gemma_is_scored_by_its_own_words(drawn: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    TINY["qwen2_5_vl"](base)
    amrg("data", "import", "phantom", drawn, "--out", tmp_path / "data")
    amrg("data", "split", tmp_path / "data", "all-test")
    data, out = tmp_path / "data", tmp_path / "run"
    command = ("benchmark", "run", "--data", data, "--split", "all-test", "--model", base, "--train-data", data)
    amrg(*command, "--score-text", "model", "--perturbed", 0, "--out", out)
    assert "base" in json.loads((out / "scores.json").read_text(encoding="utf-8"))["systems"]
