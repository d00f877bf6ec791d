"""What a run leaves in its folder: the best adapter as PEFT has it, how it is asked, and how it came about."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor

from amrg.core.files import atomic_write, write_text
from amrg.core.values import Value
from amrg.metrics.validation import WatchedMetric
from amrg.models.adapters import CONFIG_FILE, WEIGHTS_FILE
from amrg.models.settings import FILE_NAME as SETTINGS_FILE
from amrg.models.settings import ModelSettings
from amrg.training.data.prepared import DataUsed, Prepared
from amrg.training.data.samples import Sample
from amrg.training.outputs.run_folder import DONE
from amrg.training.recipe import Recipe

PREDICTIONS = "predictions-validation.jsonl"
_SOFTWARE = ("amrg", "torch", "transformers", "peft", "accelerate", "safetensors")


class Tuned(Value):
    """A finished run: where it is, how good its best adapter was on the validation part and after which step.

    `steps` were taken, `trainable` parameters trained, in `seconds` of training and validation with at most
    `peak_bytes` of memory; `stopped` says why it ended.
    """

    folder: Path
    best_step: int
    best: float
    steps: int
    trainable: int
    seconds: float
    peak_bytes: int
    stopped: str


class Hardware(Value):
    """What a run was trained on."""

    device: str
    processes: int
    machine: str
    cores: int

    @classmethod
    def here(cls, device: torch.device, processes: int) -> Hardware:
        """This machine."""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return cls(device=name, processes=processes, machine=platform.machine(), cores=os.cpu_count() or 1)


class Training(Value):
    """`training.json`: how an adapter came about. `figures` are the best's on `n` validation cases, None undefined.

    `intervals` are 95 % bootstrap intervals over cases; None where there is none. `micro_batch_size` is the last one
    used: smaller than in the recipe if memory ran out on the way. `left_out` has the skipped cases of both parts, each
    with the reason.
    """

    best_step: int
    best: float
    metric: WatchedMetric
    figures: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None] = Field(default_factory=dict)
    n: int | None = None
    unscored: int
    steps: int
    trainable: int
    seconds: float
    peak_bytes: int
    stopped: str
    base: str
    revision: str | None
    weights_hash: str | None
    micro_batch_size: int | None = None
    data: DataUsed
    left_out: dict[str, str] = Field(default_factory=dict)
    hardware: Hardware
    software: dict[str, str]

    def tuned(self, folder: Path) -> Tuned:
        """The run in short."""
        return Tuned(folder=folder, **{name: getattr(self, name) for name in Tuned.model_fields if name != "folder"})


def software() -> dict[str, str]:
    """Versions of what decides a run beside its recipe."""
    return {"python": platform.python_version()} | {name: version(name) for name in _SOFTWARE}


def read_training(folder: Path) -> Training:
    """How the adapter in a finished run's folder came about."""
    return Training.model_validate_json((folder / DONE).read_bytes())


def write_adapter(folder: Path, model: PeftModel, tensors: Mapping[str, Tensor]) -> None:
    """Write adapters as PEFT names them, with its configuration: `tensors` are those trained, by parameter."""
    with tempfile.TemporaryDirectory() as beside:
        model.peft_config["default"].save_pretrained(beside)
        config = json.loads((Path(beside) / CONFIG_FILE).read_text(encoding="utf-8"))
    write_text(folder / CONFIG_FILE, [json.dumps(config | {"inference_mode": True}, indent=2, sort_keys=True)])
    # Without embeddings, which LoRA never touches here; PEFT would ask the hub about them.
    named = get_peft_model_state_dict(model, state_dict=dict(tensors), save_embedding_layers=False)
    with atomic_write(folder / WEIGHTS_FILE) as partial:
        save_file({name: t.contiguous() for name, t in named.items()}, partial, {"format": "pt"})
        partial.chmod((folder / CONFIG_FILE).stat().st_mode)  # safetensors would keep it from all others


def write_settings(folder: Path, prepared: Prepared, recipe: Recipe) -> None:
    """How the adapter is to be asked: as it was in training."""
    write_text(folder / SETTINGS_FILE, [settings_of(prepared, recipe).model_dump_json(indent=2)])


def settings_of(prepared: Prepared, recipe: Recipe) -> ModelSettings:
    """The settings of training; answers may be a quarter longer than the longest that was learned.

    A recipe that names its settings is taken at its word.
    """
    settings = prepared.loaded.settings
    if recipe.settings is not None:
        return settings
    learned = max(len(sample.answer) for sample in prepared.train)
    return settings.model_copy(update={"max_new_tokens": max(16, learned * 5 // 4)})


def write_predictions(folder: Path, samples: Sequence[Sample], texts: Sequence[str]) -> None:
    """The drafts of the best adapter on the validation part."""
    lines = [{"key": s.key, "text": text} for s, text in zip(samples, texts, strict=True)]
    write_text(folder / PREDICTIONS, [json.dumps(line, ensure_ascii=False) for line in lines])


def write_training(folder: Path, training: Training) -> None:
    """Say how it came about, and with that, that the run is finished."""
    write_text(folder / DONE, [training.model_dump_json(indent=2)])
