"""Which tool wrote an adapter, and of which model it is, from its files and names: for the line that refuses it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from amrg.models.adapters.names import parse_name

_FILES = {  # a file that only this tool leaves next to an adapter
    "additional_config.json": "ms-swift",
    "llamaboard_config.yaml": "LLaMA-Factory",
    "trainer_log.jsonl": "LLaMA-Factory",
    "adapters.safetensors": "MLX",
    "amrg.json": "amrg",
}
_README = re.compile(r"unsloth|llama-factory|ms-swift|axolotl|torchtune|\btrl\b", re.IGNORECASE)
_TOOLS = {"llama-factory": "LLaMA-Factory", "unsloth": "Unsloth", "trl": "TRL", "axolotl": "Axolotl"}

_SIGNS = (  # names of tensors, the most particular first
    (r"\.lora_[ab]$", "MLX's names (lora_a, lora_b)"),
    (r"lora_(down|up)\.|\.alpha$", "the names of diffusion tools (lora_down, lora_up)"),
    (r"linear_(qkv|proj|fc1|fc2)\.", "Megatron's names (linear_qkv)"),
    (r"\.(hada|lokr|oft|boft|vera|ia3|lora_E)\w*", "another method than LoRA"),
    (r"\.(absmax|quant_map|quant_state)", "weights of a quantised model"),
    (r"cross_attn|multi_modal_projector\.linear_[12]", "an adapter of another family (Llama or LLaVA)"),
    (
        r"qkv_proj|gate_up_proj|img_processor|img_projection",
        "an adapter of Phi-3.5-vision, whose projections are fused",
    ),
    (r"deepstack_merger|visual\.blocks\.\d+\.mlp\.linear_fc", "an adapter of Qwen3-VL"),
    (r"visual\.(blocks|merger)", "an adapter of Qwen2.5-VL"),
    (r"text_model\.layers|modality_projection", "an adapter of SmolVLM2 or Idefics3"),
    (r"vision_tower|multi_modal_projector", "an adapter of Gemma 3 or PaliGemma"),
    (r"language_model\.", "an adapter of a vision-language model of another family or size"),
    (r"layers\.\d+\.(self_attn|mlp)\.", "an adapter of a text model"),
)
_LAYER = re.compile(r"(?:layers|blocks)\.(\d+)\.")


def made_by(folder: Path, template: str) -> str:
    """`template` with the tool that wrote an adapter; empty where its files do not tell."""
    tool = _maker(folder)
    return template.format(tool) if tool else ""


def _maker(folder: Path) -> str | None:
    config = _config_of(folder)
    if "fine_tune_type" in config or "lora_parameters" in config:
        return "MLX"
    if (config.get("auto_mapping") or {}).get("unsloth_fixed") or str(
        config.get("base_model_name_or_path") or ""
    ).startswith("unsloth/"):
        return "Unsloth"
    for name, tool in _FILES.items():
        if (folder / name).is_file():
            return tool
    card = folder / "README.md"
    found = _README.search(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    return None if found is None else _TOOLS.get(found[0].lower(), found[0])


def _config_of(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def foreign_names(folder: Path, base: str, modules: Iterable[str], homeless: Sequence[str], count: int) -> str:
    """The line for tensors that have no place in a base in any layout that is known of its family.

    `base` is its class, `modules` are its modules in the layout that fits best, `homeless` the names without a place.
    """
    maker = made_by(folder, ", written by {}")
    return (
        f"adapter {folder.name} does not fit its base: {len(homeless)} of {count} tensors of {WEIGHTS_FILE} have no "
        f"place in {base}, such as {homeless[0]}; {_looks_like(set(modules), homeless)}{maker}; name the base that it "
        f"was trained on in {CONFIG_FILE}, or save it again with PEFT's save_pretrained"
    )


def _looks_like(modules: set[str], homeless: Sequence[str]) -> str:
    shapes = {_LAYER.sub("layers.n.", name) for name in modules}
    targets = [parse_name(name).target for name in homeless]
    if all(_LAYER.sub("layers.n.", target) in shapes for target in targets):
        deepest = max(int(n) for name in modules for n in _LAYER.findall(name))
        most = max(int(n) for name in targets for n in _LAYER.findall(name))
        return f"it was trained on a model of {most + 1} layers or more, and this one has {deepest + 1}"
    own = [f"{name}." for name in modules]  # what the base has too is no sign of another model
    sign = next(
        (
            what
            for pattern, what in _SIGNS
            if any(re.search(pattern, name) for name in homeless) and not any(re.search(pattern, n) for n in own)
        ),
        None,
    )
    return f"it looks like {sign}" if sign else "its layout is unknown to amrg"
