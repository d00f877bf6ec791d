"""The guard: near what it was fitted on, far from what it never saw; the same after writing and reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amrg.models.embedded.guard import Guard, fit_guard


@pytest.fixture(scope="module")
def fitted() -> Guard:
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((12, 12))
    views = rng.standard_normal((800, 12)) @ mix
    studies = [rng.standard_normal((4, 12)) @ mix for _ in range(200)]
    return fit_guard(views, studies, quantile=0.99, margin=1.1)


def test_training_like_studies_pass_and_strangers_do_not(fitted: Guard) -> None:
    rng = np.random.default_rng(1)
    like = np.random.default_rng(0).standard_normal((12, 12))
    passed = [fitted.distance(rng.standard_normal((4, 12)) @ like) <= fitted.threshold for _ in range(200)]
    assert sum(passed) >= 190
    assert fitted.distance(rng.standard_normal((4, 12)) @ like + 40.0) > fitted.threshold


def test_written_and_read_is_the_same(fitted: Guard, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    read = Guard.load(tmp_path)
    assert read is not None
    study = np.random.default_rng(2).standard_normal((4, 12))
    assert read.distance(study) == pytest.approx(fitted.distance(study), rel=1e-3)
    assert read.threshold == pytest.approx(fitted.threshold, rel=1e-6)


def test_a_model_without_a_guard_has_none(tmp_path: Path) -> None:
    assert Guard.load(tmp_path) is None
    assert Guard.load(None) is None
