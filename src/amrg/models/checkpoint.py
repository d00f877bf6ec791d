"""Load a checkpoint of the Gemma 3 class: the embedded one, a local folder, or a hub name such as MedGemma's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoProcessor, Gemma3ForConditionalGeneration, Gemma3Processor

from amrg.models.embedded import FOLDER, NAME
from amrg.models.seeing import SeeingHeads
from amrg.models.settings import ModelSettings

HEADS_FILE = "seeing.safetensors"
MODEL_TYPE = "gemma3"


class ModelError(ValueError):
    """A model that is missing, gated, or not of the Gemma 3 class."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to draft: weights, processor, how it is asked, and (embedded only) its place-reading heads."""

    name: str
    model: Gemma3ForConditionalGeneration
    processor: Gemma3Processor
    settings: ModelSettings
    folder: Path | None
    heads: SeeingHeads | None

    @property
    def weights_hash(self) -> str | None:
        """SHA-256 of the weights, or None for a hub model that lies in the hub's own cache."""
        return _folder_hash(self.folder) if self.folder is not None else None


def load_model(name: str | None = None) -> LoadedModel:
    """Load a model by name; None is the embedded one.

    Raises:
        ModelError: one line that says what was not found and what to do.
    """
    folder = _folder_of(name)
    source = str(folder) if folder is not None else str(name)
    shown = NAME if name is None else (folder.name if folder is not None else str(name))
    try:
        config = AutoConfig.from_pretrained(source)
        _refuse_other_classes(config.model_type, shown)
        processor = AutoProcessor.from_pretrained(source)
        model = Gemma3ForConditionalGeneration.from_pretrained(source, dtype=_dtype())
    except (OSError, KeyError) as error:
        raise ModelError(
            f"model {shown!r} cannot be loaded ({_first_line(error)}): expected a folder or hub name of the "
            "Gemma 3 class; check the name, and for a gated model accept its terms and log in to the hub"
        ) from error
    settings = ModelSettings.of_checkpoint(folder, int(config.vision_config.image_size))
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return LoadedModel(shown, model, processor, settings, folder, _heads(folder))


def save_heads(heads: SeeingHeads, folder: Path) -> None:
    """Write the place-reading heads beside a checkpoint."""
    save_file({k: v.detach().contiguous() for k, v in heads.state_dict().items()}, folder / HEADS_FILE)


def _folder_of(name: str | None) -> Path | None:
    """The local folder that a name stands for, or None for a hub name."""
    if name is None or name == NAME:
        if not (FOLDER / "config.json").is_file():
            raise ModelError("the embedded model is not in this installation: run `make model`, or name another")
        return FOLDER
    folder = Path(name)
    if folder.is_dir():
        return folder
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelError(f"model {name!r}: no such folder, and no hub name (owner/model) either")
    return None


def _refuse_other_classes(model_type: str, shown: str) -> None:
    if model_type != MODEL_TYPE:
        raise ModelError(f"model {shown!r} is of class {model_type!r}; expected {MODEL_TYPE!r}, as MedGemma is")


def _dtype() -> torch.dtype:
    """bfloat16 on an accelerator (float16 overflows in Gemma 3), float32 on a processor."""
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def _heads(folder: Path | None) -> SeeingHeads | None:
    """The heads stored beside a checkpoint, where there are any."""
    if folder is None or not (folder / HEADS_FILE).is_file():
        return None
    stored = load_file(folder / HEADS_FILE)
    heads = SeeingHeads(stored["cells.weight"].shape[1], stored["kinds.weight"].shape[1])
    heads.load_state_dict(stored)
    return heads.eval()


@lru_cache(maxsize=4)
def _folder_hash(folder: Path) -> str:
    """SHA-256 over the weight files of a folder, by name."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    """The first line of an error, without its full stop."""
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
