"""Published checkpoints load whole: every name and shape finds its place, and is written again as it was read."""

from __future__ import annotations

import pytest
import torch

from amrg.models.hubnames import hub_name
from tests.models.published import Repeated, on_meta, published_names, read_published, tensors_of, written


@pytest.mark.parametrize("name", published_names())
def test_a_published_checkpoint_fits_the_model_that_amrg_builds(name: str) -> None:
    published = read_published(name)
    model, wrong = on_meta(published)
    assert wrong == []
    assert sum(p.numel() for p in model.parameters()) == published.parameters
    assert written(model) == tensors_of(published)


@pytest.mark.parametrize("name", published_names())
def test_an_export_has_the_published_names(name: str) -> None:
    """Also of a model that was built rather than loaded, which transformers would write under names of its own."""
    published = read_published(name)
    loaded, _ = on_meta(published)
    with torch.device("meta"):
        built = type(loaded)(loaded.config)
    renamed = {hub_name(loaded.config.model_type, n): shape for n, shape in written(built).items()}
    assert renamed == tensors_of(published)


def test_a_checkpoint_that_lacks_a_tensor_or_has_another_is_reported() -> None:
    published = read_published("HuggingFaceTB/SmolVLM2-256M-Video-Instruct")
    tensors = dict(published.tensors)
    tensors["model.text_model.norm.bias"] = tensors.pop("model.text_model.norm.weight")
    tensors["lm_head.weight"] = Repeated(shape=(2, 576))
    _, wrong = on_meta(published.model_copy(update={"tensors": tensors}))
    assert wrong == ["lm_head.weight", "model.text_model.norm.bias", "model.text_model.norm.weight"]


def test_a_checkpoint_without_data_is_named() -> None:
    with pytest.raises(KeyError, match="someone/else: no data"):
        read_published("someone/else")
