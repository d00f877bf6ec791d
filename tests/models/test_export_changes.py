"""An export changes the weights that training changed, in every part of the model, and no other ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from amrg.models import ModelError
from amrg.models.adapters.attaching import merge
from amrg.models.adapters.files import WEIGHTS_FILE
from amrg.models.backbones.base import Modules, Part
from amrg.models.export.exporting import ExportRequest, export_adapter, export_merged
from amrg.training.recipe import Lora
from tests.models.adapted import adapter_for
from tests.models.families import FAMILIES
from tests.models.foreign import RELEASES, renamed
from tests.models.tiny import TINY, WHOLE_RUNS

WHOLE = Lora(rank=4, alpha=8, modules=Modules.TOWER)
PARTS = {"tower": Part.TOWER, "projector": Part.PROJECTOR, "language": Part.LANGUAGE}


@pytest.fixture(scope="module", params=WHOLE_RUNS)
def tuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A family, and an adapter on its tower, projector and language model."""
    base = TINY[request.param](tmp_path_factory.mktemp("base"))
    return request.param, adapter_for(base, tmp_path_factory.mktemp("adapter") / "tuned", WHOLE)


def test_changed_weights_are_counted_in_every_part(tuned: tuple[str, Path], tmp_path: Path) -> None:
    family, folder = tuned
    # What LoRA is on, and Gemma's projector, which is trained in full: a matrix and a norm.
    weights = [n for n in load_file(folder / WEIGHTS_FILE) if ".lora_B." in n or "lora" not in n]
    expected = Counter(PARTS[FAMILIES[family].part_of(name)] for name in weights)
    assert set(expected) == set(Part)
    for export in (export_merged, export_adapter):
        parts = export(ExportRequest(folder, tmp_path / export.__name__)).comparison.parts
        assert {p.part: (p.trained, p.changed) for p in parts} == {part: (n, n) for part, n in expected.items()}


def test_a_base_stored_flat_is_merged_in_both_towers(tmp_path: Path) -> None:
    """Qwen2.5-VL as its publisher stores it, with an adapter of the releases that named modules so."""
    (tmp_path / "base").mkdir()
    base = TINY["qwen2_5_vl"](tmp_path / "base")
    flat = load_file(base / "model.safetensors")
    assert {name.split(".")[0] for name in flat} == {"visual", "model"}
    assert not any("language_model" in name for name in flat)
    folder = adapter_for(base, tmp_path / "ours", WHOLE)
    old = renamed(folder, tmp_path / "old", RELEASES["qwen2_5_vl"]["transformers 4.51"])
    exports = [export_merged(ExportRequest(given, tmp_path / f"{given.name}-out")) for given in (folder, old)]
    assert all(part.changed == part.trained > 0 for part in exports[1].comparison.parts)
    one, other = (load_file(export.folder / "model.safetensors") for export in exports)
    assert one.keys() == other.keys() == flat.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_whose_training_is_lost_in_merging_is_refused(
    part: str, tuned: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, folder = tuned

    def losing(model: Any, name: str) -> Any:
        own = {n.replace(".base_layer.", "."): p.clone() for n, p in model.get_base_model().named_parameters()}
        own = {n.replace(".original_module.", "."): p for n, p in own.items()}
        merged = merge(model, name)
        with torch.no_grad():
            for parameter, weight in merged.named_parameters():
                if FAMILIES[family].part_of(parameter) == part:
                    weight.copy_(own[parameter])
        return merged

    monkeypatch.setattr("amrg.models.export.exporting.merge", losing)
    with pytest.raises(ModelError, match=rf"changes none of the \d+ weights .* in the {PARTS[part]}"):
        export_merged(ExportRequest(folder, tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
