"""The full-size check's own functions, on the families' tiny checkpoints; and the shapes that it writes in full."""

from __future__ import annotations

import json
from math import isfinite, prod
from pathlib import Path

import check_full_size as check
import full_size_shapes as shapes
import pytest
from safetensors import safe_open

from amrg.models import ModelSettings, load
from amrg.training.data.prepared import DataSource
from amrg.training.recipe import Precision
from tests.models.published import read_published, tensors_of
from tests.models.tiny import TINY

ROWS = 512


def tiny_shape(family: str, folder: Path) -> shapes.Shape:
    """A tiny checkpoint, described as the published ones are; its vocabulary has room for the check's tokenizer."""
    tiny = TINY[family](folder)
    config = json.loads((tiny / "config.json").read_text(encoding="utf-8"))
    with safe_open(tiny / "model.safetensors", "pt") as file:
        tensors = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    for name in tensors:
        if name.endswith(("embed_tokens.weight", "lm_head.weight")):
            tensors[name] = (ROWS, tensors[name][1])
    config.get("text_config", config)["vocab_size"] = ROWS
    return shapes.Shape(f"tiny/{family}", config, tensors, ModelSettings.of_checkpoint(tiny, 1).encoding.size)


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    return check.write_exams(tmp_path_factory.mktemp("exams"))


@pytest.mark.usefixtures("no_charts")
@pytest.mark.parametrize("family", ["gemma3", "phi3_v", "qwen2_5_vl"])
def test_a_written_shape_is_loaded_drafted_with_and_trained(
    family: str, exams: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "NEW_TOKENS", 8)  # random weights write as many as they may
    model = tmp_path / "model"
    shapes.write_shape(tiny_shape(family, tmp_path / "tiny"), model)
    taken = check.draft_one(model, exams)
    assert taken.facts["dtype"] == "float32"
    assert taken.facts["banner"][0].startswith("UNVERIFIED DRAFT")
    step = check.step_once(model, exams, tmp_path, Precision.FLOAT32)
    assert isfinite(step.facts["loss"])
    assert step.facts["grad_norm"] > 0
    monkeypatch.setattr(load, "available_memory", lambda: 1000)
    in_less = check.draft_one(model, exams)
    assert in_less.facts["dtype"] == "bfloat16"
    assert "computed in bfloat16, because its weights take 0.0 GB in float32" in in_less.facts["notes"][0]


@pytest.mark.parametrize("name", check.SHAPES)
def test_a_full_size_shape_has_the_published_tensors_in_shards_of_a_gigabyte(name: str) -> None:
    shape = shapes.Shape.published(name)
    assert shape.tensors == tensors_of(read_published(name))
    written = list(shapes.shards(shape.tensors))
    assert {n: s for shard in written for n, s in shard.items()} == shape.tensors
    assert all(len(shard) == 1 or shapes.ITEM * sum(map(prod, shard.values())) <= shapes.SHARD for shard in written)
