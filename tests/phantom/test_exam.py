"""Drawn exams: same bytes, same truth at both sizes, lesions really there, boxes on the breast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from amrg.birads import Category, Composition, Laterality, Report, View
from amrg.phantom import RICH, SCREENING, DrawnView, PhantomExam, Population, Size, draw_exam, draw_without
from amrg.phantom.anatomy import coarse_coordinates
from amrg.phantom.scene import draw_scene, scene_tissue
from amrg.phantom.tissue import FRACTIONS

SEEDS = (0, 3, 8)


@lru_cache(maxsize=16)
def drawn(seed: int, population: Population = RICH) -> PhantomExam:
    return draw_exam(seed, Size.SMALL, population)


@pytest.mark.parametrize("population", [SCREENING, RICH])
def test_same_seed_same_bytes(population: Population) -> None:
    a, b = drawn(1, population), draw_exam(1, Size.SMALL, population)
    assert a.truth == b.truth
    assert all(np.array_equal(x.pixels, y.pixels) for x, y in zip(a.views, b.views, strict=True))
    other = drawn(2, population)
    assert not np.array_equal(a.views[0].pixels, other.views[0].pixels)


def test_views_come_in_hanging_order_and_size() -> None:
    exam = drawn(0)
    assert [(v.laterality.value, v.view.value) for v in exam.views] == [
        ("R", "CC"),
        ("L", "CC"),
        ("R", "MLO"),
        ("L", "MLO"),
    ]
    for view in exam.views:
        assert view.pixels.shape == (600, 480)
        assert view.pixels.dtype == np.uint16
        assert view.spacing_mm == 0.4
        assert int(view.pixels.max()) < 2**view.bits_stored


@pytest.mark.parametrize("seed", SEEDS)
def test_the_chest_wall_is_where_it_hangs(seed: int) -> None:
    for view in drawn(seed).views:
        bright = view.pixels[250:350].mean(axis=0)
        left, right = bright[10:60].mean(), bright[-60:-10].mean()
        assert (right > left) == (view.laterality is Laterality.RIGHT)


@pytest.mark.parametrize("seed", SEEDS)
def test_muscle_is_at_the_top_of_an_mlo(seed: int) -> None:
    for view in drawn(seed).views:
        if view.view is View.MLO:
            wall = view.pixels[:, -20:] if view.laterality is Laterality.RIGHT else view.pixels[:, :20]
            assert wall[25:60].mean() > 1.5 * wall[-60:-25].mean()


def test_both_sizes_have_the_same_truth() -> None:
    small, full = drawn(0), draw_exam(0, Size.FULL, RICH)
    assert small.truth.model_dump(exclude={"findings"}) == full.truth.model_dump(exclude={"findings"})
    for a, b in zip(small.truth.findings, full.truth.findings, strict=True):
        assert a.model_copy(update={"boxes": ()}) == b.model_copy(update={"boxes": ()})
        for x, y in zip(a.boxes, b.boxes, strict=True):
            assert [4 * n for n in (x.left, x.top, x.right, x.bottom)] == pytest.approx(
                [y.left, y.top, y.right, y.bottom]
            )
    for v, w in zip(small.views, full.views, strict=True):
        assert w.pixels.shape == (2400, 1920)
        shrunk = w.pixels.reshape(600, 4, 480, 4).mean(axis=(1, 3))
        assert np.corrcoef(shrunk.ravel(), v.pixels.ravel())[0, 1] > 0.98
        assert [x.contrast_to_noise for x in v.lesions] == [x.contrast_to_noise for x in w.lesions]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lesion_is_there_and_nowhere_else(seed: int) -> None:
    exam = drawn(seed)
    for index, finding in enumerate(exam.truth.findings):
        without = draw_without(seed, Size.SMALL, RICH, index)
        assert without.truth == exam.truth
        for view, bare in zip(exam.views, without.views, strict=True):
            change = np.abs(view.pixels.astype(int) - bare.pixels.astype(int)) / 2**view.bits_stored
            boxes = [x.box for x in view.lesions if x.finding == index]
            if not boxes:
                assert finding.laterality is not view.laterality or change.max() == 0
                continue
            box = boxes[0]
            inside = change[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
            assert inside.max() > 0.01
            assert inside.sum() > 0.4 * change.sum()


@pytest.mark.parametrize("seed", range(6))
def test_boxes_lie_in_the_image_and_on_the_breast(seed: int) -> None:
    exam = drawn(seed)
    scene = draw_scene(seed, RICH)
    for view in exam.views:
        distance = scene_tissue(scene, view.laterality, view.view).skin_distance
        distance = distance[:, ::-1] if view.laterality is Laterality.RIGHT else distance
        for lesion in view.lesions:
            b = lesion.box
            assert 0 <= b.left < b.right <= 480
            assert 0 <= b.top < b.bottom <= 600
            assert distance[int((b.top + b.bottom) / 2), int((b.left + b.right) / 2)] > 0
            assert b.laterality is view.laterality
            assert lesion.contrast_to_noise >= RICH.floor - 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_truth_is_whole(seed: int) -> None:
    truth = drawn(seed).truth
    assert truth.composition is not None
    assert {a.laterality for a in truth.assessments} == set(Laterality)
    for assessment in truth.assessments:
        own = [f.category for f in truth.findings if f.laterality is assessment.laterality and f.category]
        assert assessment.category == max(own, key=lambda c: c.suspicion, default=Category.NEGATIVE)
    for finding in truth.findings:
        assert [b.view for b in finding.boxes] == list(finding.views)
    assert Report.model_validate_json(truth.model_dump_json()) == truth


@pytest.mark.parametrize("composition", list(Composition))
def test_tissue_covers_the_share_that_its_composition_means(composition: Composition) -> None:
    u, v = coarse_coordinates()
    a, b, c, d = (float(one is composition) for one in Composition)
    only = replace(SCREENING, compositions=(a, b, c, d))
    for seed in range(5):
        scene = draw_scene(seed, only)
        assert scene.pattern.composition is composition
        outline = scene.breasts[Laterality.LEFT].mlo
        gland = scene_tissue(scene, Laterality.LEFT, View.MLO).gland
        assert outline.pectoral is not None
        inside = (outline.skin_distance(u, v) > 0) & (outline.pectoral.depth_inside(u, v) < 0)
        low, high = FRACTIONS[scene.pattern.composition]
        covered = (gland[inside] > 0.45).mean()
        assert low - 0.02 < covered < high + 0.08


def interior(view: DrawnView) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A window of 96 pixels about the middle of the breast."""
    columns = slice(-116, -20) if view.laterality is Laterality.RIGHT else slice(20, 116)
    middle = int(np.average(np.arange(600), weights=view.pixels[:, columns].mean(axis=1)))
    return view.pixels[middle - 48 : middle + 48, columns].astype(float)


def test_texture_has_the_exponent_of_real_films(spectrum_exponent: Callable[..., float]) -> None:
    betas = [spectrum_exponent(interior(drawn(seed, SCREENING).views[seed % 2])) for seed in range(12)]
    assert 2.7 < float(np.median(betas)) < 3.9


@pytest.fixture
def spectrum_exponent() -> Callable[..., float]:
    def measure(window: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
        hann = np.outer(np.hanning(96), np.hanning(96))
        power = np.abs(np.fft.rfft2((window - window.mean()) * hann)) ** 2
        f = np.hypot(np.fft.fftfreq(96, 0.4)[:, None], np.fft.rfftfreq(96, 0.4)[None, :])
        use = (f > 0.15) & (f < 0.7)
        return -float(np.polyfit(np.log(f[use]), np.log(power[use]), 1)[0])

    return measure
