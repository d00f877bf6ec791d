"""Images displayed and reduced in strips, by a table: bit for bit those of the whole image in floating point."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from amrg.imaging import PresentationImage
from amrg.imaging import image as image_module
from amrg.imaging.image import ResizedPart, StoredValues
from tests.imaging.plain import whole_resize


def _image(seed: int, shape: tuple[int, int], dtype: str = "u2") -> tuple[PresentationImage, np.ndarray]:
    """An image with a table and something hidden, and the same pixel by pixel."""
    rng = np.random.default_rng(seed)
    low, high = (-300, 700) if dtype.endswith("i2") else (0, 250)
    stored = rng.integers(low, high, shape).astype(dtype)
    hidden = rng.random(shape) < 0.05
    values = StoredValues.of(stored)
    displayed = np.clip((values.levels.astype(np.float32) - low) / np.float32(700), 0, 1)
    whole = np.where(hidden, np.float32(0), np.clip((stored.astype(np.float32) - low) / np.float32(700), 0, 1))
    return values.displayed_as(displayed, hidden), whole


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i2", ">i2"])
def test_a_table_displays_what_each_pixel_is(dtype: str) -> None:
    image, whole = _image(1, (90, 70), dtype)
    np.testing.assert_array_equal(image.pixels(), whole)
    np.testing.assert_array_equal(image.every(4), whole[::4, ::4])


@pytest.mark.parametrize("turned", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_a_hung_image_is_the_hung_pixels(turned: int, flipped: bool) -> None:
    image, whole = _image(2, (50, 40))
    expected = np.rot90(whole, turned)[:, :: -1 if flipped else 1]
    np.testing.assert_array_equal(image.hung(turned, flipped).pixels(), expected)


SIDES = st.integers(40, 300)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seed=st.integers(0, 99), shape=st.tuples(SIDES, SIDES), size=st.tuples(SIDES, SIDES), data=st.data())
def test_parts_are_reduced_as_pillow_reduces_the_whole(
    seed: int, shape: tuple[int, int], size: tuple[int, int], data: st.DataObject
) -> None:
    """Along rows first or columns first, down or up, with fractional boxes, several together, whatever the strips."""
    image, whole = _image(seed, shape)
    left, top = data.draw(st.floats(0, shape[1] - 20)), data.draw(st.integers(0, shape[0] - 20))
    part = ResizedPart(size, (left, top, shape[1] - data.draw(st.integers(0, 10)), shape[0]), data.draw(st.booleans()))
    other = ResizedPart((30, 200), (0, 0, shape[1], shape[0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_module, "STRIP", data.draw(st.sampled_from((1, 2000, 2**17))))
        found = image.resample([part, other])
    for wanted, values in zip((part, other), found, strict=True):
        np.testing.assert_array_equal(values, whole_resize(whole, wanted))


def test_the_rule_of_the_first_axis_is_pillows() -> None:
    """Both orders occur, and each is told from the other by its last bits."""
    whole = np.random.default_rng(0).random((400, 300)).astype(np.float32)
    image = PresentationImage(whole)
    for size, axis in (((100, 150), 0), ((250, 100), 1)):
        part = ResizedPart(size, (0, 0, 300, 400))
        assert part.first_axis(image.shape) == axis
        pillow = np.asarray(Image.fromarray(whole).resize(size, Image.Resampling.BOX))
        np.testing.assert_array_equal(image.resample([part])[0], pillow)


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("hide", [False, True])
def test_the_spread_of_columns_is_that_of_the_pixels(falling: bool, hide: bool) -> None:
    rng = np.random.default_rng(5)
    values = StoredValues.of(rng.integers(100, 900, (120, 60)).astype(np.uint16))
    displayed = np.clip(values.levels / np.float32(800), 0, 1).astype(np.float32)
    hidden = rng.random((120, 60)) < 0.5 if hide else None
    image = values.displayed_as(1 - displayed if falling else displayed, hidden)
    np.testing.assert_array_equal(image.spread_of_columns(30), np.ptp(image.pixels()[:, :30], axis=0))


def test_a_reduced_copy_needs_no_whole_image_in_floating_point() -> None:
    image, _ = _image(3, (2000, 1500))
    tracemalloc.start()
    try:
        image.resample(
            [ResizedPart((200, 256), (0, 0, 1500, 2000)), ResizedPart((300, 300), (0.0, 0.0, 1500.0, 1500.0))]
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < image.codes.size * 4 / 1.5  # bytes of float32; the two copies half made are 5 MB, a strip less than 1
