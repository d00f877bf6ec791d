"""What the training benchmark claims: a model in proportion, and a peer whose objective is ours where it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bench_training_model as model
import bench_training_runs as runs
import pytest

from tests.rounding import ROUNDING


def test_the_shrunk_model_divides_its_work_as_medgemma_does() -> None:
    assert sum(model.MEDGEMMA.parameters().values()) == pytest.approx(4.3e9, rel=0.01)
    real, shrunk = (shape.work(shape.image_tokens + 200) for shape in (model.MEDGEMMA, model.SHRUNK))
    for part in ("tower", "body", "head"):
        assert shrunk[part] / sum(shrunk.values()) == pytest.approx(real[part] / sum(real.values()), abs=0.03)
    held = model.SHRUNK.parameters()
    assert held["head"] / held["body"] == pytest.approx(671 / 3209, rel=0.1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny base and its data."""
    folder = tmp_path_factory.mktemp("made")
    texts = model.reports(24)
    model.write_checkpoint(folder / "base", model.TINY, texts)
    return folder / "base", model.write_data(folder, texts, model.TINY.pixels)


@pytest.mark.usefixtures("no_charts")
def test_a_sweep_runs_whole(made: tuple[Path, Path], tmp_path: Path) -> None:
    swept = runs.run_sweep(*made, runs.OurSweep(2, (16, 32), rank=4, torch_compile=False), tmp_path)
    assert (swept.exams, len(swept.seconds)) == (2, 4)


@pytest.mark.usefixtures("no_charts")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:Model has `tie_word_embeddings=True`")
def test_the_notebooks_trainer_and_amrg_lose_the_same_where_their_objectives_agree(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    base, data = made
    alike: dict[str, Any] = {"dropout": 0.0, "learning_rate": 1e-2, "lr_scheduler": "constant", "warmup_ratio": 0.0}
    ours = runs.run_ours(base, data, runs.Ours(3, batch_size=4, torch_compile=False, **alike), tmp_path / "ours")
    options: dict[str, Any] = {
        "saved": False,
        "modules": "language",
        "report_only": True,
        "accumulate": 1,
        "our_order": True,
    }
    peer = runs.run_peer(base, data, runs.Peer(3, **options, **alike), tmp_path / "peer")
    assert len(ours.losses) == 3
    assert ours.losses == pytest.approx(peer.losses, rel=ROUNDING)
    whole = runs.run_peer(base, data, runs.Peer(1, accumulate=1), tmp_path / "whole")
    assert whole.trainable > ours.trainable + 2 * model.TINY.vocabulary * model.TINY.width
    assert whole.losses[0] != pytest.approx(ours.losses[0], abs=1e-3)
