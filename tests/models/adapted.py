"""Adapters for tiny bases, as `amrg train` leaves them, that have learned something at random."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from peft import get_peft_model_state_dict
from safetensors.torch import save_file

from amrg.models.adapters.files import WEIGHTS_FILE
from amrg.models.load import load_base
from amrg.training.loop.lora import with_lora
from amrg.training.recipe import Lora, Recipe

LORA = Lora(rank=4, alpha=8)


def adapter_for(base: Path | str, folder: Path, lora: Lora = LORA, scale: float = 0.3) -> Path:
    """Write an adapter whose B is normal with a deviation of `scale`, its modules trained whole moved as much."""
    loaded, recipe = load_base(str(base)), Recipe(base=str(base), lora=lora)
    tuned = with_lora(loaded, recipe)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in sorted(tuned.named_parameters()):
            if "lora_B" in name or "modules_to_save" in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)
    folder.mkdir()
    tuned.peft_config["default"].save_pretrained(folder)
    save_file(get_peft_model_state_dict(tuned, save_embedding_layers=False), folder / WEIGHTS_FILE)
    loaded.settings.save(folder)
    (folder / "recipe.json").write_text(recipe.model_dump_json(), encoding="utf-8")
    training = {
        "best_step": 7,
        "metrics": {"birads_accuracy_7_worst_strict": 0.5, "finding_f1_by_place": None},
        "intervals": {"birads_accuracy_7_worst_strict": [0.4, 0.6], "finding_f1_by_place": None},
        "n": 96,
        "data": {"name": "drawn", "split": "clean"},
    }
    (folder / "training.json").write_text(json.dumps(training), encoding="utf-8")
    return folder


def as_cached(cache: Path, name: str, commit: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a hub model in a hub's cache of one's own, empty yet, which is asked offline from now on."""
    cached = cache / f"models--{name.replace('/', '--')}"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit, encoding="utf-8")
    (cached / "snapshots" / commit).mkdir(parents=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cached / "snapshots" / commit


def settings_of(base: Path, folder: Path) -> None:
    """The base's settings, also an adapter's."""
    load_base(str(base)).settings.save(folder)
