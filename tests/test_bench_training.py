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


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:Model has `tie_word_embeddings=True`")
def test_the_notebooks_trainer_and_amrg_lose_the_same_where_their_objectives_agree(tmp_path: Path) -> None:
    texts, base = model.reports(24), tmp_path / "base"
    model.write_checkpoint(base, model.TINY, texts)
    data = model.write_data(tmp_path, texts, model.TINY.pixels)
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
