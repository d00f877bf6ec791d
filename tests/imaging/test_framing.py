"""The frame: the breast is in it, labels and borders are not, points go there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amrg.birads import Laterality
from amrg.imaging import frame_breast


def _film(side: Laterality) -> np.ndarray:
    """A half ellipse with texture, a label and a film border."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:400, :320]
    breast = (x / 180) ** 2 + ((y - 200) / 150) ** 2 < 1
    film = np.where(breast, 0.4 + 0.05 * rng.standard_normal((400, 320)), 0.02).astype(np.float32)
    film[20:40, 250:300] = 1.0
    film[:3], film[-3:], film[:, -3:] = 0.9, 0.9, 0.9
    return film if side is Laterality.LEFT else np.ascontiguousarray(film[:, ::-1])


@pytest.mark.parametrize("side", list(Laterality))
def test_labels_and_borders_are_excluded_and_the_breast_is_in(side: Laterality) -> None:
    framed = frame_breast(_film(side), side, 128)
    x, y = framed.to_framed(275, 30) if side is Laterality.LEFT else framed.to_framed(45, 30)
    if 0 <= x < 128 and 0 <= y < 128:
        assert framed.pixels[int(y), int(x)] == 0
    centre = framed.to_framed(60, 200) if side is Laterality.LEFT else framed.to_framed(260, 200)
    assert framed.pixels[int(centre[1]), int(centre[0])] > 0.2
    wall = framed.breast[:, 0] if side is Laterality.LEFT else framed.breast[:, -1]
    assert wall.mean() > 0.5
    assert 0.25 < framed.breast.mean() < 0.75
    assert framed.pixels[~framed.breast].max() == 0


def test_a_bright_speck_survives_in_detail() -> None:
    film = _film(Laterality.LEFT)
    film[200:202, 90:92] += 0.4
    framed = frame_breast(film, Laterality.LEFT, 128)
    x, y = (int(v) for v in framed.to_framed(91, 201))
    around = framed.detail[y - 1 : y + 2, x - 1 : x + 2].max()
    assert around > 2 * float(np.median(framed.detail[framed.breast]))


@settings(derandomize=True, deadline=None, max_examples=25)
@given(x=st.floats(0, 320), y=st.floats(0, 400), side=st.sampled_from(list(Laterality)))
def test_points_go_there_and_back(x: float, y: float, side: Laterality) -> None:
    framed = frame_breast(_film(side), side, 64)
    np.testing.assert_allclose(framed.to_original(*framed.to_framed(x, y)), (x, y), atol=1e-6)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(trim=st.integers(0, 40), size=st.sampled_from([64, 80, 96]))
def test_a_mirrored_breast_is_framed_alike(trim: int, size: int) -> None:
    film = _film(Laterality.LEFT)[trim // 3 :, : 320 - trim]
    left = frame_breast(film, Laterality.LEFT, size)
    right = frame_breast(film[:, ::-1], Laterality.RIGHT, size)
    for layer in ("pixels", "contrast", "detail", "breast"):
        np.testing.assert_array_equal(getattr(right, layer)[:, ::-1], getattr(left, layer))
    x, y = right.to_original(0, size / 2)
    assert (film.shape[1] - x, y) == pytest.approx(left.to_original(size, size / 2))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_film_is_framed_whole(value: float) -> None:
    framed = frame_breast(np.full((300, 200), value, np.float32), Laterality.LEFT, 64)
    assert framed.pixels.shape == framed.contrast.shape == framed.detail.shape == (64, 64)
    assert np.isfinite(framed.contrast).all()
