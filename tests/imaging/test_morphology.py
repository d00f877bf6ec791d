"""Morphology by whole-array operations: bit for bit that of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from amrg.imaging.morphology import dilate, dilate_grey, erode, fill_holes, opening


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    share=st.floats(0, 1),
    times=st.integers(1, 8),
)
def test_masks(seed: int, shape: tuple[int, int], share: float, times: int) -> None:
    rng = np.random.default_rng(seed)
    mask, within = rng.random(shape) < share, rng.random(shape) < 0.7
    np.testing.assert_array_equal(erode(mask, times), ndimage.binary_erosion(mask, iterations=times))
    np.testing.assert_array_equal(dilate(mask, times), ndimage.binary_dilation(mask, iterations=times))
    grown = ndimage.binary_dilation(mask, iterations=times, mask=within)
    np.testing.assert_array_equal(dilate(mask, times, within=within), grown)
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))


@pytest.mark.parametrize("width", [2, 3, 4, 7, 8, 11])
@pytest.mark.parametrize("shape", [(12, 30), (40, 11), (61, 57)])
def test_grey_values(width: int, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(width).random(shape).astype(np.float32)
    np.testing.assert_array_equal(opening(image, width), ndimage.grey_opening(image, (width, width)))
    np.testing.assert_array_equal(dilate_grey(image, width), ndimage.maximum_filter(image, width))
