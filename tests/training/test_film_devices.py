"""Real images as from other devices: the picture changes, its lesions and its background do not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from amrg.training.tower.film_devices import other_device
from amrg.training.tower.films import FilmScene, Lesion


def _scene() -> FilmScene:
    """A breast that brightens to the right in wide steps, next to a label."""
    pixels = np.zeros((64, 96), np.float32)
    pixels[:, :64] = np.repeat(np.linspace(0.2, 0.8, 8, dtype=np.float32), 8)
    pixels[4:8, 80:90] = 1.0
    breast = np.zeros(pixels.shape, np.bool_)
    breast[:, :64] = True
    return FilmScene(pixels, breast, (Lesion((10.0, 10.0, 20.0, 20.0), {"kind": "mass"}),))


@given(st.integers(0, 10_000))
def test_only_the_breast_changes_and_within_its_own_range(seed: int) -> None:
    scene = _scene()
    made = other_device(scene, np.random.default_rng(seed))
    assert made.lesions == scene.lesions
    assert np.array_equal(made.pixels[~scene.breast], scene.pixels[~scene.breast])
    inside = made.pixels[scene.breast]
    assert not np.array_equal(inside, scene.pixels[scene.breast])
    assert inside.min() >= np.float32(0.2) - 1e-6
    assert inside.max() <= np.float32(0.8) + 1e-6
    assert np.array_equal(made.pixels, other_device(scene, np.random.default_rng(seed)).pixels)


@given(st.integers(0, 10_000))
def test_brighter_tissue_stays_brighter(seed: int) -> None:
    made = other_device(_scene(), np.random.default_rng(seed)).pixels[:, :64]
    levels = made.reshape(64, 8, 8).mean((0, 2))  # of the steps
    assert spearmanr(levels, np.arange(8))[0] > 0.95  # grain may exchange the two darkest, where a curve is flat
