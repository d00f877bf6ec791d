"""The guard: what is no mammogram is told from what is one, and far from the training images from near them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amrg.birads import Laterality
from amrg.imaging.image import StoredValues
from amrg.models import ModelError
from amrg.models.guard.distance import FILE_NAME, TrainingDistance, fit_distance
from amrg.models.guard.likeness import MammogramCheck, mammogram_check
from amrg.models.guard.measures import measure_picture
from amrg.phantom import POPULATIONS, Size, draw_exam
from amrg.training.guard.altered import SPOILT, varied
from amrg.training.guard.anatomy import ANATOMY
from amrg.training.guard.pages import PAGES
from amrg.training.guard.pictures import as_read

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@pytest.fixture(scope="module")
def phantom() -> Pixels:
    """A drawn mammogram of a left breast, float32 in 0..1."""
    drawn = draw_exam(2_500_001, Size.SMALL, POPULATIONS["screening"]).views[1]
    assert drawn.laterality is Laterality.LEFT
    return drawn.pixels.astype(np.float32) / np.float32(2**drawn.bits_stored - 1)


def test_a_drawn_mammogram_is_one_on_either_side_and_as_other_collections_have_it(phantom: Pixels) -> None:
    check = mammogram_check()
    assert check.of_picture(phantom, Laterality.LEFT) > 0
    mirrored = np.ascontiguousarray(phantom[:, ::-1])
    assert check.of_picture(mirrored, Laterality.RIGHT) == check.of_picture(phantom, Laterality.LEFT)
    for seed in range(3):
        read = as_read(varied(phantom, np.random.default_rng(seed)))
        assert read is not None
        assert check.of_picture(read, Laterality.LEFT) > 0


@pytest.mark.parametrize("kind", sorted(PAGES | ANATOMY))
def test_other_pictures_are_none(kind: str) -> None:
    read = as_read((PAGES | ANATOMY)[kind](np.random.default_rng(987)))
    assert read is not None
    assert mammogram_check().of_picture(read, Laterality.LEFT) < 0


@pytest.mark.parametrize("kind", sorted(SPOILT))
def test_a_spoilt_mammogram_is_none(kind: str, phantom: Pixels) -> None:
    read = as_read(SPOILT[kind](phantom, np.random.default_rng(3)))
    assert read is not None
    assert mammogram_check().of_picture(read, Laterality.LEFT) < 0


def test_the_likeness_is_what_it_was_by_plain_arithmetic(phantom: Pixels) -> None:
    """As before the copy was shared and powers were products: the code gave the old weights' values, then these."""
    check, exam = mammogram_check(), draw_exam(2_500_001, Size.SMALL, POPULATIONS["screening"])
    views = [(v.pixels.astype(np.float32) / np.float32(2**v.bits_stored - 1), v.laterality) for v in exam.views]
    found = [check.of_picture(pixels, side) for pixels, side in views]
    assert found == pytest.approx([6.807179, 6.594463, 6.972478, 6.618239], abs=1e-5)
    before = {"blurred": -2.987126, "inverted": -0.120278, "scattered": -3.638084}
    for kind, likeness in before.items():
        read = as_read(SPOILT[kind](phantom, np.random.default_rng(3)))
        assert read is not None
        assert check.of_picture(read, Laterality.LEFT) == pytest.approx(likeness, abs=1e-5)


@pytest.mark.parametrize("shape", [(700, 560), (600, 512), (300, 500), (256, 200)])
@pytest.mark.parametrize("side", list(Laterality))
def test_the_shared_copy_is_the_guards_own(shape: tuple[int, int], side: Laterality) -> None:
    """Of an image of integers, of either side, with and without ties, it is what reducing the mirrored pixels gives."""
    rng = np.random.default_rng(shape[0])
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = (x / (0.7 * shape[1])) ** 2 + ((y - shape[0] / 2) / (0.4 * shape[0])) ** 2 < 1
    stored = np.where(inside, 2000 + rng.integers(0, 900, shape), rng.integers(0, 40, shape)).astype(np.uint16)
    values = StoredValues.of(stored)
    image = values.displayed_as((values.levels / 4095).astype(np.float32)).hung(0, side is Laterality.RIGHT)
    pixels = image.pixels() if side is Laterality.LEFT else np.ascontiguousarray(image.pixels()[:, ::-1])
    alone = measure_picture(pixels, Laterality.LEFT)
    np.testing.assert_allclose(measure_picture(image, side), alone, rtol=0, atol=1e-5)


def test_any_picture_has_as_many_finite_measures() -> None:
    for pixels in (np.zeros((64, 64)), np.ones((70, 300)), np.eye(128), np.tri(500, 90)):
        measures = measure_picture(pixels.astype(np.float32), Laterality.LEFT)
        assert measures.shape == mammogram_check().middle.shape
        assert np.isfinite(measures).all()


@pytest.fixture(scope="module")
def studies() -> list[Numbers]:
    """Studies of two views with correlated features, wider than there are views for."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((12, 300))
    return [rng.standard_normal((2, 12)) @ mix + 0.1 * rng.standard_normal((2, 300)) for _ in range(120)]


def test_studies_like_the_training_images_are_near_and_strangers_far(studies: list[Numbers]) -> None:
    fitted = fit_distance(studies[:80])
    near = [fitted.of_study(study) for study in studies[80:]]
    assert sum(distance <= fitted.threshold for distance in near) >= 38
    assert 0.5 < float(np.median(near)) < 2
    assert fitted.of_study(studies[100] + 5.0) > 2 * fitted.threshold


def test_written_and_read_is_the_same(studies: list[Numbers], tmp_path: Path) -> None:
    fitted = fit_distance(studies)
    fitted.save(tmp_path)
    read = TrainingDistance.load(tmp_path)
    assert read is not None
    assert read.of_study(studies[0]) == pytest.approx(fitted.of_study(studies[0]), rel=1e-3)
    assert read.threshold == pytest.approx(fitted.threshold, rel=1e-6)
    assert TrainingDistance.load(tmp_path / "elsewhere") is None
    assert TrainingDistance.load(None) is None


def test_a_damaged_or_foreign_file_is_named(studies: list[Numbers], tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not tensors")
    with pytest.raises(ModelError, match=f"{FILE_NAME}: the guard's file is damaged"):
        TrainingDistance.load(tmp_path)
    mammogram_check().save(tmp_path / FILE_NAME)
    with pytest.raises(ModelError, match="has 'measures of pictures, 1', expected 'distance from the training images"):
        TrainingDistance.load(tmp_path)
    fit_distance(studies).save(tmp_path)
    with pytest.raises(ModelError, match="expected 'measures of pictures, 1'"):
        MammogramCheck.load(tmp_path / FILE_NAME)


def test_one_study_has_no_distance(studies: list[Numbers]) -> None:
    with pytest.raises(ValueError, match="at least two studies"):
        fit_distance(studies[:1])
