"""Adapters as other releases and tools leave them: the names of their tensors, and adapters made by PEFT alone."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from amrg.models.export.verifying import answers_of
from amrg.models.load import load_base
from tests.models.adapted import settings_of

START = "base_model.model."
Rename = Callable[[str], str]


def moved(*pairs: tuple[str, str]) -> Rename:
    """The first of some beginnings of a name, replaced."""

    def rename(name: str) -> str:
        inner = name.removeprefix(START)
        for old, new in pairs:
            if inner.startswith(old):
                return START + new + inner.removeprefix(old)
        return name

    return rename


RELEASES: dict[str, dict[str, Rename]] = {
    # Written down from the classes of these releases, not from amrg's table.
    "gemma3": {
        "transformers 4.52": moved(
            ("model.vision_tower.encoder.", "model.vision_tower.vision_model.encoder."),
        ),
        "transformers 4.50": moved(
            ("model.vision_tower.encoder.", "vision_tower.vision_model.encoder."),
            ("model.multi_modal_projector.", "multi_modal_projector."),
            ("model.language_model.layers.", "language_model.model.layers."),
        ),
        "without head": moved(("model.", "")),
    },
    "qwen2_5_vl": {
        "transformers 4.51": moved(("model.visual.", "visual."), ("model.language_model.", "model.")),
        "without head": moved(("model.", "")),
    },
    "phi3_v": {"without head": moved(("model.", ""))},
    "smolvlm": {"without head": moved(("model.", ""))},
}
"""How each family's tensors were named, from how they are named now."""

TEXT_ALONE: dict[str, dict[str, Rename]] = {
    "gemma3": {
        "text model": moved(("model.language_model.", "model.")),
        "language model": moved(("model.language_model.", "")),
    },
    "qwen2_5_vl": {
        "text model": moved(("model.language_model.", "model.")),
        "language model": moved(("model.language_model.", "")),
    },
    "qwen3_vl": {"text model": moved(("model.language_model.", "model."))},
    "smolvlm": {"text model": moved(("model.text_model.", "model."))},
}
"""The same of adapters that were trained on the language model alone."""

WRITERS: dict[str, Rename] = {
    "adapter name kept": lambda n: n.replace(".lora_A.", ".lora_A.default.").replace(".lora_B.", ".lora_B.default."),
    "another adapter name": lambda n: n.replace(".lora_A.", ".lora_A.reports.").replace(".lora_B.", ".lora_B.reports."),
    "without prefix": lambda n: n.removeprefix(START),
    "data parallel": lambda n: "module." + n,
    "compiled": lambda n: n.replace(START, START + "_orig_mod."),
    "sharded": lambda n: "_fsdp_wrapped_module." + n.replace(".layers.", ".layers._fsdp_wrapped_module."),
    "wrapped twice": lambda n: START + n,
    "saved in full": lambda n: n.replace("multi_modal_projector.", "multi_modal_projector.modules_to_save.default."),
}
"""What tools that save a state dict by themselves leave in the names."""


def renamed(folder: Path, out: Path, rename: Rename, **fields: Any) -> Path:
    """A copy of an adapter with its tensors renamed, and some fields of its configuration changed."""
    out.mkdir()
    for file in folder.iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    save_file({rename(n): t for n, t in load_file(folder / WEIGHTS_FILE).items()}, out / WEIGHTS_FILE)
    return configured(out, **fields)


def configured(folder: Path, **fields: Any) -> Path:
    """An adapter with some fields of its configuration changed."""
    document = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    (folder / CONFIG_FILE).write_text(json.dumps(document | fields), encoding="utf-8")
    return folder


def by_peft(base: Path, folder: Path, config: LoraConfig) -> tuple[Path, tuple[tuple[int, ...], ...], torch.Tensor]:
    """An adapter that PEFT alone made and saved, with the answers and logits of its unmerged model."""
    loaded = load_base(str(base))
    generator = torch.Generator().manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned = get_peft_model(loaded.model, config).eval()
        with torch.no_grad():
            for _, parameter in sorted(tuned.named_parameters()):
                if parameter.requires_grad:
                    parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
        answers = answers_of(loaded)
        tuned.peft_config["default"].base_model_name_or_path = str(base)
        tuned.save_pretrained(str(folder))
    settings_of(base, folder)
    return folder, answers.rows, answers.logits
