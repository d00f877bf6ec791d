"""The file of a whole run: what a run writes of itself is the same run again, from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from amrg.models.checkpoint import NAME
from amrg.training.recipe import Recipe
from amrg.training.train_config import TrainConfig, read_config, write_config


def test_a_base_by_its_path_is_found_again_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "base").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    run = Path("runs") / "one"
    config = TrainConfig(data=Path("data"), split="some", out=run, recipe=Recipe(base="models/base")).rooted()
    write_config(run, config)
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = read_config(tmp_path / run / "run.yaml")
    assert found.recipe.base == str(tmp_path / "models" / "base")
    assert (found.data, found.out) == (tmp_path / "data", tmp_path / run)


@pytest.mark.parametrize("name", [NAME, "google/medgemma-4b-it"])
def test_a_base_by_its_name_stays_that(name: str, tmp_path: Path) -> None:
    assert TrainConfig(recipe=Recipe(base=name)).rooted().recipe.base == name
