"""The outputs of a run: the best adapter in PEFT's format, its settings, predictions, `training.json`."""

from __future__ import annotations

import json
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

from amrg.birads import AnswerForm
from amrg.core.cores import available_cores
from amrg.core.files import atomic_write, write_text
from amrg.core.values import Value
from amrg.datasets.training_set import TrainingSet
from amrg.metrics.prediction import Prediction
from amrg.metrics.validation import WatchedMetric
from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from amrg.models.decoding.phrases import shared_phrases
from amrg.models.guard.distance import fit_distance
from amrg.models.guard.storage import Numbers
from amrg.models.settings import FILE_NAME as SETTINGS_FILE
from amrg.models.settings import ModelSettings
from amrg.training.data.prepared import DataUsed, PreparedData
from amrg.training.data.samples import Sample
from amrg.training.outputs.run_folder import DONE
from amrg.training.recipe import Recipe

PREDICTIONS = "predictions-validation.jsonl"
_SOFTWARE = ("amrg", "torch", "transformers", "peft", "accelerate", "safetensors")


class TrainedAdapter(Value):
    """A finished run in short: its folder, the best value on the validation part and its step.

    `trainable` is the number of trained parameters, `seconds` of training and validation, `stopped` why the run ended.
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
    """The hardware of a run; `cores` are those that it could use."""

    device: str
    processes: int
    machine: str
    cores: int

    @classmethod
    def here(cls, device: torch.device, processes: int) -> Hardware:
        """This machine."""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return cls(device=name, processes=processes, machine=platform.machine(), cores=available_cores())


class TrainingRecord(Value):
    """`training.json`: how an adapter was trained. `metrics` are its values on `n` validation cases, None if undefined.

    `intervals` are 95 % bootstrap intervals over cases; None if there is none. `micro_batch_size` is the last one used:
    smaller than in the recipe if memory ran out on the way. `without_list` is how many target texts of both parts have
    no findings list, though the answer is findings first, because their references state no fact. `references` counts
    the cases of both parts by where their reference came from: a radiologist, labels that its text is rendered from, a
    phantom's truth. `skipped` has the unused cases of both parts, each with the reason. `trained_on` has digests of the
    cases of both parts, for comparing a test set with them.
    """

    best_step: int
    best: float
    metric: WatchedMetric
    metrics: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]
    n: int
    unscored: int
    steps: int
    trainable: int
    seconds: float
    peak_bytes: int
    stopped: str
    base: str
    revision: str | None
    weights_hash: str | None
    micro_batch_size: int
    data: DataUsed
    answer: AnswerForm = AnswerForm.NARRATIVE
    without_list: int = 0
    references: dict[str, int] = Field(default_factory=dict)
    trained_on: TrainingSet | None = None
    skipped: dict[str, str]
    hardware: Hardware
    software: dict[str, str]

    def summary(self, folder: Path) -> TrainedAdapter:
        """The run in short."""
        return TrainedAdapter(
            folder=folder, **{name: getattr(self, name) for name in TrainedAdapter.model_fields if name != "folder"}
        )


def software_versions() -> dict[str, str]:
    """Versions of Python and of the packages that influence a run."""
    return {"python": platform.python_version()} | {name: version(name) for name in _SOFTWARE}


def read_training(folder: Path) -> TrainingRecord:
    """`training.json` of a finished run."""
    return TrainingRecord.model_validate_json((folder / DONE).read_bytes())


def write_adapter(folder: Path, model: PeftModel, tensors: Mapping[str, Tensor]) -> None:
    """Write adapter weights and configuration in PEFT's format; `tensors` are the trained ones by parameter name."""
    with tempfile.TemporaryDirectory() as temporary:
        model.peft_config["default"].save_pretrained(temporary)
        config = json.loads((Path(temporary) / CONFIG_FILE).read_text(encoding="utf-8"))
    write_text(folder / CONFIG_FILE, [json.dumps(config | {"inference_mode": True}, indent=2, sort_keys=True)])
    # Without embeddings, which are never trained here; PEFT would query the hub about them.
    named = get_peft_model_state_dict(model, state_dict=dict(tensors), save_embedding_layers=False)
    with atomic_write(folder / WEIGHTS_FILE) as partial:
        save_file({name: t.contiguous() for name, t in named.items()}, partial, {"format": "pt"})
        partial.chmod((folder / CONFIG_FILE).stat().st_mode)  # safetensors makes it readable by its owner only


def write_settings(folder: Path, prepared: PreparedData, recipe: Recipe) -> None:
    """Write the settings of training, for drafting with the adapter."""
    write_text(folder / SETTINGS_FILE, [adapter_settings(prepared, recipe).model_dump_json(indent=2)])


def adapter_settings(prepared: PreparedData, recipe: Recipe) -> ModelSettings:
    """The settings of training; `max_new_tokens` is a quarter above the longest training answer.

    Settings in the recipe are used unchanged.
    """
    settings = prepared.loaded.settings
    if recipe.settings is not None:
        return settings
    max_length = max(len(sample.answer) for sample in prepared.train)
    return settings.model_copy(update={"max_new_tokens": max(16, max_length * 5 // 4)})


def write_predictions(folder: Path, samples: Sequence[Sample], texts: Sequence[str]) -> None:
    """Write the drafts of the best adapter for the validation part, as predictions that `amrg benchmark` scores."""
    predictions = [Prediction(key=s.key, text=text) for s, text in zip(samples, texts, strict=True)]
    lines = [json.dumps(p.model_dump(mode="json", exclude_none=True), ensure_ascii=False) for p in predictions]
    write_text(folder / PREDICTIONS, lines)


def write_distance(folder: Path, studies: Sequence[Numbers]) -> None:
    """Write how far drafted images are from the training images; `studies` are pooled, each [views, features]."""
    if len(studies) > 1:
        fit_distance(studies).save(folder)


def write_phrases(folder: Path, prepared: PreparedData) -> None:
    """Write what reports of several patients share: drafts of the next tokens, where the family can take them."""
    if prepared.loaded.backbone.takes_drafted_tokens:
        shared_phrases((sample.group, sample.answer) for sample in prepared.train).save(folder)


def write_training(folder: Path, training: TrainingRecord) -> None:
    """Write `training.json`, which marks the run as finished."""
    write_text(folder / DONE, [training.model_dump_json(indent=2)])
