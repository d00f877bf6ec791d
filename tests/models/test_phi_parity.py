"""Phi-3.5-vision layer by layer: against a computation by hand, and against transformers' own Phi-3 and CLIP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModel, Phi3Config, Phi3ForCausalLM

from amrg.models.phi3v import Cutting, Phi3VForCausalLM
from tests.models import phi_by_hand as by_hand
from tests.models.tiny_phi import CROP, TURN, tiny_phi

SHORT, LONG = 40, TURN + 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_phi(tmp_path_factory.mktemp("phi"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return Phi3VForCausalLM.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def weights(folder: Path) -> dict[str, by_hand.Array]:
    return {name: tensor.double().numpy() for name, tensor in load_file(folder / "model.safetensors").items()}


def outputs(modules: Any, run: Any) -> list[Tensor]:
    """What each module gave while `run` ran."""
    found: list[Tensor] = []
    hooks = [m.register_forward_hook(lambda *given: found.append(given[2].detach())) for m in modules]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return found


def assert_close(found: Tensor, expected: by_hand.Array) -> None:
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("length", [SHORT, LONG])
def test_every_layer_of_the_language_model(model: Any, config: Any, weights: Any, length: int) -> None:
    ids = torch.randint(3, 300, (1, length), generator=torch.Generator().manual_seed(1))
    body = model.model
    found = outputs([*body.layers, body.norm], lambda: body(input_ids=ids))
    expected = by_hand.language_layers(weights, config, weights["model.embed_tokens.weight"][ids[0].numpy()])
    for layer, hand in zip(found, expected, strict=True):
        assert_close(layer[0], hand)


def test_short_and_long_factors_differ(model: Any) -> None:
    # Without this the parity of both would show nothing.
    ids = torch.randint(3, 300, (1, LONG), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        short, long = model(input_ids=ids[:, :TURN]).logits, model(input_ids=ids).logits
    assert (short - long[:, :TURN]).abs().max() > 1e-2


def test_every_layer_of_the_tower(model: Any, config: Any, weights: Any) -> None:
    crops = torch.randn(2, 3, CROP, CROP, generator=torch.Generator().manual_seed(2))
    tower = model.model.vision_embed_tokens.img_processor.vision_model
    found = outputs(tower.encoder.layers, lambda: tower(pixel_values=crops))
    for n, crop in enumerate(crops):
        expected = by_hand.clip_layers(weights, config["img_processor"], crop.double().numpy())
        for layer, hand in zip(found, expected, strict=True):
            assert_close(layer[n], hand)
        with torch.no_grad():
            assert_close(tower.patches(crops)[n], expected[-2][1:])


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (1, 3), (3, 1)])
def test_image_tokens(model: Any, weights: Any, rows: int, columns: int) -> None:
    states = torch.randn(1 + rows * columns, 16, 16, generator=torch.Generator().manual_seed(3))
    size = torch.tensor([rows * CROP, columns * CROP])
    with torch.no_grad():
        (found,) = model.model.vision_embed_tokens.project([states], [size])
    assert_close(found, by_hand.image_tokens(weights, states.double().numpy(), rows, columns))
    assert len(found) == Cutting(num_img_tokens=4, crop_size=CROP).tokens(*size.tolist())


def test_from_pixels_to_the_last_layer(model: Any, config: Any, weights: Any) -> None:
    drawn = np.random.default_rng(4).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    made = Cutting(num_img_tokens=4, crop_size=CROP)([Image.fromarray(drawn)])
    crops, rows, columns = by_hand.cut(Image.fromarray(drawn), 4, CROP)
    states = [by_hand.clip_layers(weights, config["img_processor"], crop)[-2][1:] for crop in crops]
    tokens = by_hand.image_tokens(weights, np.stack(states), rows, columns)
    ids = [5, 9] + [config["image_token_id"]] * len(tokens) + [7, 11]
    embedded = weights["model.embed_tokens.weight"][ids]
    embedded[2:-2] = tokens
    with torch.no_grad():
        found = model.model(input_ids=torch.tensor([ids]), **made).last_hidden_state
    assert_close(found[0], by_hand.language_layers(weights, config, embedded)[-1])


@pytest.mark.parametrize("length", [SHORT, LONG])
def test_text_alone_is_transformers_phi3(folder: Path, model: Any, config: Any, length: int) -> None:
    scaling = {**config["rope_scaling"], "type": "longrope"}
    others = {k: v for k, v in config.items() if k not in ("model_type", "rope_scaling")}
    vanilla = Phi3ForCausalLM(Phi3Config(**others, rope_scaling=scaling)).eval()
    stored = load_file(folder / "model.safetensors")
    vanilla.load_state_dict({n: t for n, t in stored.items() if "vision_embed_tokens" not in n})
    ids = torch.randint(3, 300, (2, length), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        found, expected = model(input_ids=ids).logits, vanilla(input_ids=ids).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_the_tower_is_transformers_clip(folder: Path, model: Any, config: Any) -> None:
    parts = {k: v for k, v in config["img_processor"].items() if k not in ("name", "model_name")}
    clip = CLIPVisionModel(CLIPVisionConfig(hidden_size=parts.pop("image_dim_out"), **parts)).eval()
    stored = load_file(folder / "model.safetensors")
    clip.load_state_dict({n.removeprefix(by_hand.CLIP): t for n, t in stored.items() if n.startswith(by_hand.CLIP)})
    crops = torch.randn(3, 3, CROP, CROP, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        expected = clip(pixel_values=crops, output_hidden_states=True).hidden_states[-2][:, 1:]
        found = model.model.vision_embed_tokens.img_processor.vision_model.patches(crops)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(56, 56), (130, 88), (88, 130), (20, 100), (33, 34)])
@pytest.mark.parametrize("most", [1, 4, 16])
def test_pictures_are_cut_as_described(size: tuple[int, int], most: int) -> None:
    picture = Image.fromarray(np.random.default_rng(most).integers(0, 256, (*size, 3), dtype=np.uint8))
    made = Cutting(num_crops=most, num_img_tokens=4, crop_size=CROP)([picture])
    crops, rows, columns = by_hand.cut(picture, most, CROP)
    assert made["image_sizes"].tolist() == [[rows * CROP, columns * CROP]]
    assert made["pixel_values"].shape == (1, 1 + most, 3, CROP, CROP)
    assert_close(made["pixel_values"][0, : len(crops)], crops)
    assert not made["pixel_values"][0, len(crops) :].any()


@pytest.mark.parametrize(("most", "tokens"), [(4, 757), (16, 1921)])
def test_a_picture_has_the_published_number_of_tokens(most: int, tokens: int) -> None:
    # vLLM's test of the published processor: a picture of 1,300 x 876 pixels.
    cutting = Cutting(num_crops=most)
    fitted = cutting.fitted(Image.new("RGB", (1300, 876)))
    assert cutting.tokens(fitted.height, fitted.width) == tokens
