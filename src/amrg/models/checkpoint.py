"""Load a model by name: the embedded one, a folder, a hub name, or an adapter with the base it was trained on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from amrg.models.backbone import Backbone
from amrg.models.backbones import BACKBONES, backbone_of
from amrg.models.embedded import FOLDER, NAME
from amrg.models.known import pinned_revision
from amrg.models.seeing import SeeingHeads
from amrg.models.settings import ModelSettings

HEADS_FILE = "seeing.safetensors"
ADAPTER_FILE = "adapter_config.json"


class ModelError(ValueError):
    """A model that is missing, gated, or of a class that amrg does not know."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to be asked: weights, processor, how it is asked, and (embedded only) its place-reading heads.

    `folder` is where its weights lie, None for a hub model in the hub's own cache. Of an adapter, `adapter` is its
    folder and all else is its base's, but for the settings that it was trained with; its weights are merged in.
    """

    name: str
    backbone: Backbone
    model: Any
    processor: Any
    settings: ModelSettings
    folder: Path | None
    heads: SeeingHeads | None
    revision: str | None = None
    adapter: Path | None = None

    @property
    def weights_hash(self) -> str | None:
        """SHA-256 of the weights, an adapter's with its base's; None for a hub model in the hub's own cache."""
        folders = [f for f in (self.folder, self.adapter) if f is not None]
        if self.folder is None:
            return None
        return _folder_hash(self.folder) if len(folders) == 1 else _hash(*map(_folder_hash, folders))


def load_model(name: str | None = None) -> LoadedModel:
    """Load a model by name, ready to draft; None is the embedded one, an adapter's folder its base with it merged in.

    Raises:
        ModelError: one line that says what was not found and what to do.
    """
    folder = None if name is None else Path(name)
    if folder is not None and (folder / ADAPTER_FILE).is_file():
        return _with_adapter(folder)
    return load_base(name)


def load_base(name: str | None = None, revision: str | None = None, quantization: Any = None) -> LoadedModel:
    """Load a model without any adapter; `revision` is a hub commit, None the one that amrg pins.

    `quantization` is a transformers quantisation configuration, such as bitsandbytes nf4.

    Raises:
        ModelError: one line that says what was not found and what to do.
    """
    folder = _folder_of(name)
    source = str(folder) if folder is not None else str(name)
    shown = NAME if name is None else (folder.name if folder is not None else str(name))
    wanted = None if folder is not None else revision or pinned_revision(source)
    try:
        config = AutoConfig.from_pretrained(source, revision=wanted)
        backbone = _family_of(config.model_type, shown)
        settings = ModelSettings.of_checkpoint(folder, backbone.picture_size(config))
        processor = backbone.load_processor(source, wanted, settings)
        model = backbone.model_class.from_pretrained(
            source, revision=wanted, dtype=_dtype(), quantization_config=quantization
        )
    except (OSError, KeyError) as error:
        raise ModelError(
            f"model {shown!r} cannot be loaded ({_first_line(error)}): expected a folder or hub name of a model of "
            f"the families {_families()}; check the name, and for a gated model accept its terms and log in to the hub"
        ) from error
    if quantization is None:
        model.to("cuda" if torch.cuda.is_available() else "cpu")
    return LoadedModel(shown, backbone, model.eval(), processor, settings, folder, _heads(folder), wanted)


def _with_adapter(folder: Path) -> LoadedModel:
    """An adapter's base with the adapter merged in, asked as the adapter was trained to be."""
    config = PeftConfig.from_pretrained(str(folder))
    base = load_base(config.base_model_name_or_path, config.revision)
    tuned = PeftModel.from_pretrained(base.model, str(folder))
    merged = tuned.merge_and_unload(safe_merge=True).eval()
    settings = ModelSettings.of_checkpoint(folder, base.settings.encoding.size)
    heads = None if _sees_otherwise(config) else base.heads
    return replace(base, name=folder.name, model=merged, settings=settings, heads=heads, adapter=folder)


def _sees_otherwise(config: PeftConfig) -> bool:
    """Whether an adapter changes the vision tower, whose features the place-reading heads were taught on."""
    pattern = config.target_modules
    return "vision_tower" in (pattern if isinstance(pattern, str) else " ".join(pattern or ()))


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


def _family_of(model_type: str, shown: str) -> Backbone:
    backbone = backbone_of(model_type)
    if backbone is None:
        raise ModelError(f"model {shown!r} is of class {model_type!r}; expected one of {_families()}")
    return backbone


def _families() -> str:
    return ", ".join(t for b in BACKBONES for t in b.model_types)


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


@lru_cache(maxsize=8)
def _folder_hash(folder: Path) -> str:
    """SHA-256 over the weight files of a folder, by name."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _first_line(error: BaseException) -> str:
    """The first line of an error, without its full stop."""
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
