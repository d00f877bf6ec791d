"""Image tokens varied for training: other numbers, the same places."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from amrg.models.embedded.attributes import KINDS
from amrg.models.embedded.candidates import BACKGROUND
from amrg.models.embedded.mammogram_tower import BINS, STATED, VALUES
from amrg.training.embedded.token_noise import Tokens, vary_tokens
from tests.models.towers import random_tower

_WHERE = slice(4 + len(KINDS) + VALUES, 4 + len(KINDS) + VALUES + 4 * BINS)


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    """Those of a view with some breast, and of one with none."""
    tower = random_tower(512)
    pixels = torch.full((2, 3, 64, 64), BACKGROUND - 1)
    pixels[0, :, 8:56, :48] = torch.rand(3, 48, 48)
    with torch.inference_mode():
        found: Tokens = tower(pixel_values=pixels).last_hidden_state.numpy()
    return found


def test_other_numbers_the_same_places(tokens: Tokens) -> None:
    before = tokens.copy()
    varied = vary_tokens(tokens, np.random.default_rng(0))
    assert np.array_equal(tokens, before)
    assert varied.dtype == np.float32
    for stays in (slice(0, 2), _WHERE):
        assert np.array_equal(varied[..., stays], tokens[..., stays])
    used = tokens[..., :2].any(-1)
    assert (~used).sum() > 0
    assert not varied[~used].any()
    assert (varied[used] != tokens[used]).any(-1).all()


def test_probabilities_and_features_stay_what_they_are(tokens: Tokens) -> None:
    varied = vary_tokens(tokens, np.random.default_rng(1))
    assert varied[..., : _WHERE.start].min() >= 0
    place = tokens[..., 1] > 0
    assert varied[place][:, 2 : 4 + len(KINDS)].max() < 1
    used = tokens[..., :2].any(-1)
    np.testing.assert_allclose(np.linalg.norm(varied[used][:, STATED:], axis=-1), 1, atol=1e-5)


def test_no_breast_is_twice_the_same(tokens: Tokens) -> None:
    rng = np.random.default_rng(2)
    assert not np.array_equal(vary_tokens(tokens, rng), vary_tokens(tokens, rng))
