"""An adapter's PEFT configuration: read where amrg can honour all that it says, else refused."""

from __future__ import annotations

import json
import warnings
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from peft import LoraConfig

from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from amrg.models.adapters.makers import made_by
from amrg.models.errors import ModelError

PICKLE_FILE = "adapter_model.bin"

_HONOURED = frozenset(
    [
        "task_type",
        "peft_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
        "inference_mode",
        "r",
        "target_modules",
        "exclude_modules",
        "lora_alpha",
        "lora_dropout",
        "fan_in_fan_out",
        "use_rslora",
        "modules_to_save",
        "init_lora_weights",
        "layers_to_transform",
        "layers_pattern",
        "rank_pattern",
        "alpha_pattern",
        "megatron_core",
        "loftq_config",
        "eva_config",
        "corda_config",
        "lora_ga_config",
        "use_dora",
        "qalora_group_size",
        "runtime_config",
        "ensure_weight_tying",
    ]
)
"""Fields that amrg and PEFT apply, or that say how training began or ran; any other one must have its default."""

_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways to begin training that also change the base's weights, so that the adapter alone is not what was trained."""


def read_config(folder: Path) -> Any:
    """An adapter's PEFT configuration, a `LoraConfig`.

    Raises:
        ModelError: it cannot be read, is no LoRA, has something that amrg does not apply, names no base, or its weights
            are not there as safetensors.
    """
    document = _document(folder)
    kind = document.get("peft_type")
    if kind != "LORA":
        found = f"of kind {kind}" if kind else f"not PEFT's (no peft_type{made_by(folder, ', written by {}')})"
        raise ModelError(
            f"adapter {folder.name}: {CONFIG_FILE} is {found}; expected LORA in PEFT's format, as amrg trains it"
        )
    _refuse_fields(document, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = LoraConfig(**{f.name: document[f.name] for f in fields(LoraConfig) if f.name in document})
    except (ValueError, TypeError, KeyError, ImportError) as error:
        raise ModelError(f"adapter {folder.name}: {CONFIG_FILE} cannot be read ({error}); copy it again") from error
    if not config.base_model_name_or_path:
        raise ModelError(f"adapter {folder.name}: {CONFIG_FILE} has no base_model_name_or_path; add its base's")
    _refuse_no_weights(folder)
    return config


def _document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"adapter {folder.name}: {CONFIG_FILE} cannot be read ({error}); copy it again") from error
    if not isinstance(document, dict):
        raise ModelError(f"adapter {folder.name}: {CONFIG_FILE} is no JSON object; copy it again")
    return document


def _refuse_fields(document: dict[str, Any], folder: Path) -> None:
    """Refuse what amrg would not apply: unknown fields that are set, and kinds of LoRA beside the usual ones.

    Raises:
        ModelError: names the field and its value.
    """
    defaults = {f.name: f.default for f in fields(LoraConfig) if f.default is not MISSING}
    for name, value in document.items():
        if name not in _HONOURED and value and value != defaults.get(name):
            raise ModelError(
                f"adapter {folder.name}: {CONFIG_FILE} sets {name} to {json.dumps(value)[:60]}, which amrg does not "
                "apply; expected LoRA, DoRA or rank-stabilised LoRA: merge it with the tool that trained it, and name "
                "the merged model"
            )
    start = document.get("init_lora_weights")
    if isinstance(start, str) and start.startswith(_CHANGES_BASE):
        raise ModelError(
            f"adapter {folder.name}: its training began with {start}, which changed the base's weights too; save it "
            "with path_initial_model_for_weight_conversion, which makes it an adapter of the unchanged base"
        )


def _refuse_no_weights(folder: Path) -> None:
    if (folder / WEIGHTS_FILE).is_file():
        return
    if (folder / PICKLE_FILE).is_file():
        raise ModelError(
            f"adapter {folder.name}: its weights are in {PICKLE_FILE}, a pickle, which can run code when it is read; "
            f"amrg reads {WEIGHTS_FILE}: save it again with safe_serialization=True where you trust it"
        )
    raise ModelError(f"adapter {folder.name}: there is no {WEIGHTS_FILE}; finish its training, or copy it again")
