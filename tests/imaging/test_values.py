"""Presentation values against values worked out by hand from PS3.3 C.11."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from amrg.imaging.header import Header, header_of
from amrg.imaging.pixels.presentation import presentation
from amrg.imaging.pixels.windows import window

X = np.array([[0, 500, 1000, 1500, 2000]], np.float32)


def test_linear_is_c_11_2_1_2_1() -> None:
    # ((x - (c - 0.5)) / (w - 1) + 0.5), clipped
    expected = np.clip((X - 999.5) / 999 + 0.5, 0, 1)
    np.testing.assert_allclose(window(X, 1000, 1000), expected, atol=1e-6)


def test_linear_of_the_full_range_is_the_stored_value() -> None:
    stored = np.arange(4096, dtype=np.float32)[None]
    np.testing.assert_allclose(window(stored, 2048, 4096), stored / 4095, atol=1e-6)


def test_linear_exact_and_sigmoid() -> None:
    np.testing.assert_allclose(window(X, 1000, 1000, "LINEAR_EXACT"), [[0, 0, 0.5, 1, 1]], atol=1e-6)
    sigmoid = 1 / (1 + np.exp(-4 * (X - 1000) / 1000))
    np.testing.assert_allclose(window(X, 1000, 1000, "SIGMOID"), sigmoid, atol=1e-6)


def test_a_window_of_one_is_a_threshold() -> None:
    np.testing.assert_array_equal(window(X, 1000, 1), [[0, 0, 1, 1, 1]])


@pytest.mark.parametrize(("width", "function"), [(0, "LINEAR"), (-1, "SIGMOID"), (10, "CUBIC")])
def test_what_the_standard_forbids_is_named(width: float, function: str) -> None:
    with pytest.raises(ValueError, match=r"\(0028,105[16]\)"):
        window(X, 0, width, function)


def _header(**attributes: object) -> Header:
    header = Dataset()
    header.PhotometricInterpretation = "MONOCHROME2"
    for name, value in attributes.items():
        setattr(header, name, value)
    return header_of(header)


def _displayed(stored: np.ndarray, header: Header) -> tuple[np.ndarray, tuple[str, ...]]:
    image, notes = presentation(stored, header)
    return image.pixels(), notes


def test_monochrome1_is_inverted_after_the_window() -> None:
    window_of = {"WindowCenter": 1000, "WindowWidth": 1000}
    plain, _ = _displayed(X.astype(np.uint16), _header(**window_of))
    inverted, _ = _displayed(X.astype(np.uint16), _header(PhotometricInterpretation="MONOCHROME1", **window_of))
    np.testing.assert_allclose(inverted, 1 - plain, atol=1e-6)


def _film() -> np.ndarray:
    """A film of 12 bits with a flat, noisy background and a label far brighter than its breast."""
    y, x = np.mgrid[:800, :640]
    inside = ((y - 400) / 340) ** 2 + (x / 450) ** 2
    noise = np.random.default_rng(0).integers(40, 60, (800, 640))
    film = np.where(inside < 1, 2600 - 2000 * inside, noise).astype(np.uint16)
    film[8:24, 600:616] = 4000
    return film


@pytest.mark.parametrize("window_of", [{}, {"WindowCenter": -9999, "WindowWidth": 20}], ids=["none", "unusable"])
def test_a_film_without_window_is_displayed_alike_in_either_polarity(window_of: dict[str, int]) -> None:
    film = _film()
    plain, _ = _displayed(film, _header(**window_of))
    inverted, _ = _displayed(4095 - film, _header(PhotometricInterpretation="MONOCHROME1", **window_of))
    negative, notes = _displayed(4095 - film, _header(**window_of))
    assert plain[400, 0] > 0.99  # the label is displayed white, and darkens nothing
    np.testing.assert_allclose(inverted, plain, atol=1e-6)
    np.testing.assert_allclose(negative, plain, atol=0.01)  # its white edge is taken for a frame
    assert any("a negative" in note for note in notes)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize(("center", "width", "used"), [(2450, 300, False), (90, 100, False), (1900, 1400, True)])
def test_a_window_that_shows_a_small_part_of_the_breast_is_ignored(
    photometric: str, center: int, width: int, used: bool
) -> None:
    film = _film()
    low_is_white = photometric == "MONOCHROME1"
    stored, middle = (4095 - film, 4095 - center) if low_is_white else (film, center)
    header = _header(PhotometricInterpretation=photometric, WindowCenter=middle, WindowWidth=width)
    displayed, notes = _displayed(stored, header)
    plain, _ = _displayed(film, _header())
    assert any("shows too little of the breast: ignored" in note for note in notes) is not used
    assert np.allclose(displayed, plain, atol=1e-6) is not used


def test_rescale_comes_before_the_window() -> None:
    header = _header(WindowCenter=2000, WindowWidth=2000, RescaleSlope=2, RescaleIntercept=0)
    displayed, _ = _displayed(X.astype(np.uint16), header)
    np.testing.assert_allclose(displayed, window(2 * X, 2000, 2000), atol=1e-6)


def test_a_voi_table_is_preferred_and_ends_hold() -> None:
    table = Dataset()
    table.LUTDescriptor = [3, 1000, 16]
    table.LUTData = [0, 32768, 65535]
    header = _header(WindowCenter=1, WindowWidth=2, VOILUTSequence=Sequence([table]))
    displayed, _ = _displayed(np.array([[0, 1000, 1001, 1002, 5000]], np.uint16), header)
    np.testing.assert_allclose(displayed, [[0, 0, 32768 / 65535, 1, 1]], atol=1e-6)


def test_for_processing_is_converted_and_noted() -> None:
    raw = np.linspace(10, 4000, 6400).reshape(80, 80).astype(np.uint16)
    displayed, notes = _displayed(raw, _header(PresentationIntentType="FOR PROCESSING"))
    assert displayed[0, 0] > displayed[-1, -1]  # less exposure is denser, so brighter
    assert "For Processing" in notes[0]
