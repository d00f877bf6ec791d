"""The second look at candidates: the region around a cell, alike wherever it is, and what it may correct."""

from __future__ import annotations

import torch
from torch import nn

from amrg.models import ATTRIBUTES
from amrg.models.embedded.region_head import (
    CORRECTED,
    LOCAL,
    REGION,
    PlaceLogits,
    RegionHead,
    regions_at,
)


def test_a_region_is_about_the_middle_of_its_cell_and_0_beyond_the_view() -> None:
    finest = 1 + torch.arange(40 * 30, dtype=torch.float32).reshape(1, 1, 40, 30)
    inner, corner = regions_at(finest, torch.tensor([[9, 0]]), torch.tensor([[7, 14]]))[:, 0]
    half = REGION // 2
    assert torch.equal(inner, finest[0, 0, 19 - half : 19 + half, 15 - half : 15 + half])
    assert (corner[: half - 1] == 0).all()
    assert (corner[:, half + 1 :] == 0).all()
    assert torch.equal(corner[half - 1 :, : half + 1], finest[0, 0, : half + 1, 29 - half :])


@torch.inference_mode()
def test_a_place_is_corrected_alike_wherever_it_is_in_a_view_and_a_batch() -> None:
    torch.manual_seed(0)
    head = RegionHead(24, 96).eval()
    nn.init.normal_(head.correction.weight)
    patch, features = torch.rand(24, REGION, REGION), torch.rand(96)
    finest = torch.zeros(2, 24, 64, 48)
    half = REGION // 2
    for view, row, column in ((0, 5, 5), (1, 10, 7)):
        finest[view, :, 2 * row + 1 - half : 2 * row + 1 + half, 2 * column + 1 - half : 2 * column + 1 + half] = patch
    rows, columns = torch.tensor([[5, 2], [1, 10]]), torch.tensor([[5, 2], [1, 7]])
    correction = head(finest, features.expand(2, 2, -1), rows, columns)
    assert correction.shape == (2, 2, CORRECTED)
    torch.testing.assert_close(correction[0, 0], correction[1, 1])
    assert not torch.allclose(correction[0, 0], correction[0, 1])


def test_a_correction_is_added_to_what_a_region_shows_and_not_to_where_it_is() -> None:
    found = PlaceLogits(
        torch.rand(1, 2, 15),
        {name: torch.rand(1, 2, len(v)) for name, v in ATTRIBUTES.items()},
        torch.rand(1, 2, 4),
    )
    corrected = found.plus(torch.ones(1, 2, CORRECTED))
    assert torch.equal(corrected.places, found.places)
    for name, logits in found.attributes.items():
        assert torch.equal(corrected.attributes[name], logits + (name in LOCAL))
    assert torch.equal(corrected.boxes, found.boxes)
