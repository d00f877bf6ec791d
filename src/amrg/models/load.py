"""Load a model by name: the embedded one, a folder, a hub name, or an adapter with the base it was trained on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoConfig

from amrg.core.errors import first_line
from amrg.core.hashing import sha256_of_text
from amrg.core.memory import available_memory
from amrg.models.adapters.attaching import Attached, attach, merge
from amrg.models.adapters.config import read_config
from amrg.models.adapters.files import (
    CONFIG_FILE,
    RUN_FILE,
    TRAINING_FILE,
    is_adapter,
    nested_adapters,
    read_training_file,
    why_no_adapter,
)
from amrg.models.backbones.base import Backbone, Part
from amrg.models.backbones.registry import BACKBONES, backbone_of
from amrg.models.catalog import pinned_revision
from amrg.models.checkpoint import EMBEDDED, NAME, folder_hash
from amrg.models.embedded.mammogram_tower import MammogramTower, MammogramTowerConfig
from amrg.models.errors import ModelError
from amrg.models.guard.distance import FILE_NAME as GUARD_FILE
from amrg.models.hub import commit_of, hub_trouble
from amrg.models.hubnames import hub_name
from amrg.models.settings import ModelSettings
from amrg.models.weights import load_complete

_EARLIER_TOWER = "amrg_conv_tower"
_SHA256_DIGITS = 64
_WEIGHTS_SHARE = 0.5  # of a machine's memory that a model's weights may take: the rest is for images and activations


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to be prompted: weights, processor, settings.

    `folder` has its weights, None for a hub model in the hub's own cache. Of an adapter, `adapter` is its folder and
    all else is its base's, except the settings that it was trained with; its weights are merged in, and `tuned_tower`
    and `tuned_projector` say whether any of them are the vision tower's or the projector's. `notes` are lines about it
    for the user.
    """

    name: str
    backbone: Backbone
    model: Any
    processor: Any
    settings: ModelSettings
    folder: Path | None
    revision: str | None = None
    adapter: Path | None = None
    hub_name: str | None = None
    tuned_tower: bool = False
    tuned_projector: bool = False
    notes: tuple[str, ...] = ()

    @property
    def finding_tower(self) -> MammogramTower | None:
        """The vision tower, where it is one that locates findings; None for every other model."""
        tower = getattr(self.model.model, "vision_tower", None)
        return tower if isinstance(tower, MammogramTower) else None

    @property
    def guard_folder(self) -> Path | None:
        """Where its distance from the training images is: with an adapter, or with a base that sees as before."""
        folders = (self.adapter, None if self.tuned_tower or self.tuned_projector else self.folder)
        return next((f for f in folders if f is not None and (f / GUARD_FILE).is_file()), None)

    @property
    def weights_hash(self) -> str | None:
        """SHA-256 of the weights, an adapter's with its base's; None for a hub model in the hub's own cache.

        A hub model's commit stands for its weights where it has an adapter.
        """
        base = None if self.folder is None else folder_hash(self.folder)
        if self.adapter is None:
            return base
        return sha256_of_text(base or f"{self.hub_name}@{self.revision}", folder_hash(self.adapter))

    @property
    def weights_id(self) -> str | None:
        """What pins the weights: their hash, or the commit of a hub model in the hub's own cache."""
        return self.weights_hash or self.revision

    @property
    def source(self) -> str:
        """What transformers finds its files, or its base's, under: a folder or a hub name."""
        return str(self.folder or self.hub_name)


@dataclass(frozen=True)
class Unmerged:
    """A base with an adapter attached: `loaded` drafts with the adapter; `tuned` switches it off, or merges it in."""

    loaded: LoadedModel
    attached: Attached

    @property
    def tuned(self) -> PeftModel:
        """The base with its adapter as PEFT's model."""
        return self.attached.tuned

    def weights_of(self, modules: Iterable[str]) -> frozenset[str]:
        """Hub names of the weights that the adapter changes in some modules."""
        model_type = self.loaded.model.config.model_type
        return frozenset(hub_name(model_type, name) for name in self.attached.placement.weights(frozenset(modules)))

    def parts_of(self, modules: Iterable[str]) -> Counter[Part]:
        """How many of some modules are in each part of the model."""
        return Counter(self.loaded.backbone.part_of(module) for module in modules)


def load_model(name: str | None = None) -> LoadedModel:
    """Load a model by name, ready to draft; None is the embedded one, an adapter's folder its base with it merged in.

    Raises:
        ModelError: one line that says what was not found and what to do.
    """
    folder = None if name is None else Path(name)
    if folder is not None and is_adapter(folder):
        unmerged = load_unmerged(folder)
        return replace(unmerged.loaded, model=merge(unmerged.tuned, folder.name))
    if folder is not None and not (folder / "config.json").is_file() and nested_adapters(folder):
        raise ModelError(f"model {why_no_adapter(folder)}")
    return load_base(name)


def load_unmerged(folder: Path, dtype: torch.dtype | None = None) -> Unmerged:
    """Load an adapter's base and attach the adapter, prompted as the adapter was trained.

    Raises:
        ModelError: one line that says what of the two is missing, or does not fit the other.
    """
    config = read_config(folder)
    try:
        base = load_base(config.base_model_name_or_path, config.revision, dtype=dtype)
    except ModelError as error:
        copy = config.base_model_name_or_path.startswith("unsloth/")
        hint = f"; Unsloth names its own copy of a base: name the original in {CONFIG_FILE}" if copy else ""
        raise ModelError(f"adapter {folder.name}: its base is not available: {error}{hint}") from error
    _refuse_another_base(folder, base)
    attached = attach(base.model, folder)
    settings = ModelSettings.of_checkpoint(folder, base.settings.encoding.size)
    loaded = replace(
        base,
        name=folder.name,
        model=attached.tuned.get_base_model(),
        processor=base.backbone.load_processor(base.source, base.revision, settings),
        settings=settings,
        adapter=folder,
        notes=(*base.notes, *attached.placement.notes(folder.name)),
    )
    unmerged = Unmerged(loaded, attached)
    changed, moving = (unmerged.parts_of(modules) for modules in (attached.placement.changed, attached.moving))
    still = tuple(
        f"adapter {folder.name}: its LoRA in the {part} changes nothing there ({count} modules, every lora_B is zero)"
        for part, count in changed.items()
        if not moving[part]
    )
    tower, projector = (moving[part] > 0 for part in (Part.TOWER, Part.PROJECTOR))
    loaded = replace(loaded, tuned_tower=tower, tuned_projector=projector, notes=(*loaded.notes, *still))
    return replace(unmerged, loaded=replace(loaded, notes=(*loaded.notes, *_of_tuned_tower(loaded, base.name))))


def _of_tuned_tower(loaded: LoadedModel, base: str) -> Iterator[str]:
    """The line for an adapter that changes the tower which locates findings."""
    if loaded.tuned_tower and loaded.finding_tower is not None:
        yield (
            f"adapter {loaded.name}: it changes the vision tower, which locates findings: places, probabilities and "
            f"suspicion are not those that {base} was measured with"
        )


def _refuse_another_base(folder: Path, base: LoadedModel) -> None:
    """Refuse a base other than the one that an adapter was trained on, where a file of its training names it.

    Raises:
        ModelError: its base has other weights, or is at another commit; or its training file is damaged.
    """
    trained = read_training_file(folder, TRAINING_FILE) or _unfinished(folder)
    for name in ("weights_hash", "revision"):
        expected: str | None = trained.get(name)
        found: str | None = None if expected is None else getattr(base, name)
        if expected is not None and found is not None and expected != found:
            raise ModelError(
                f"adapter {folder.name}: it was trained on a base whose {name} is {expected[:12]}, and that of "
                f"{base.name} is {found[:12]}; name the base that it was trained on in {CONFIG_FILE}, or train it again"
            )


def _unfinished(folder: Path) -> dict[str, Any]:
    """What a run that is not finished yet, whose best adapter drafts already, began with."""
    weights = str(read_training_file(folder, RUN_FILE).get("weights") or "")
    if not weights:
        return {}
    return {"weights_hash" if len(weights) == _SHA256_DIGITS else "revision": weights}  # else a hub's commit


_BROKEN = (OSError, KeyError, ValueError, ImportError, SafetensorError, AttributeError)
"""What transformers raises for files that are missing or wrong, or that need a library that is not installed; the last,
for a missing tokenizer."""


def load_base(
    name: str | None = None,
    revision: str | None = None,
    quantization: Any = None,
    dtype: torch.dtype | None = None,
) -> LoadedModel:
    """Load a model without any adapter; `revision` is a hub commit, None the one that amrg pins.

    `quantization` is a transformers quantisation configuration, such as bitsandbytes nf4. `dtype` None is the machine's
    default: bfloat16 on an accelerator; on a CPU float32, or bfloat16 with a note where float32 is too large for it.

    Raises:
        ModelError: one line that says what was not found and what to do.
    """
    folder = _folder_of(name)
    source = str(folder) if folder is not None else str(name)
    label = NAME if name is None else (folder.name if folder is not None else str(name))
    commit = None if folder is not None else (revision or pinned_revision(source))
    config: Any = None
    if folder is not None:
        _refuse_earlier_tower(folder, label)
    try:
        if folder is None:
            commit = commit_of(source, commit)
        config = AutoConfig.from_pretrained(source, revision=commit, trust_remote_code=False)
        backbone = _family_of(config.model_type, label)
        settings = ModelSettings.of_checkpoint(folder, backbone.image_size(config))
        processor = backbone.load_processor(source, commit, settings)
        taken, notes = (dtype, ()) if dtype is not None else _dtype(backbone, config, label)
        options = {"revision": commit, "dtype": taken, "quantization_config": quantization}
        model = load_complete(backbone.model_class, source, label, options)
    except ModelError:
        raise
    except _BROKEN as error:
        trouble = hub_trouble(error, source, commit) if folder is None else None
        if trouble is not None and Path(source).parent.is_dir():
            trouble += f"; and there is no folder {source}"  # which may be what was meant
        raise ModelError(
            trouble
            or _why_quantised(config, label)
            or f"model {label!r} cannot be loaded ({first_line(error)}): expected a folder or hub name of a model of "
            f"the families {_families()}, complete; check the name, or download or copy it again"
        ) from error
    if quantization is None:
        model.to("cuda" if torch.cuda.is_available() else "cpu")
    hub_name = None if folder is not None else source
    return LoadedModel(
        label, backbone, model.eval(), processor, settings, folder, commit, hub_name=hub_name, notes=notes
    )


def _refuse_earlier_tower(folder: Path, label: str) -> None:
    """Refuse a checkpoint whose vision tower is of a class that amrg no longer has.

    Raises:
        ModelError: names the class, and what to do.
    """
    try:
        vision = json.loads((folder / "config.json").read_bytes())["vision_config"]["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # transformers says what is wrong with it
    if vision == _EARLIER_TOWER:
        raise ModelError(
            f"model {label!r} has the vision tower of an earlier amrg: found {vision}, expected "
            f"{MammogramTowerConfig.model_type}; train it again (the embedded one: `make model`), or name another model"
        )


def _why_quantised(config: Any, label: str) -> str | None:
    """The line for a base whose files are quantised, where that is why it cannot be loaded."""
    stored = getattr(config, "quantization_config", None)
    if stored is None:
        return None
    method = stored.get("quant_method") if isinstance(stored, dict) else getattr(stored, "quant_method", None)
    return (
        f"model {label!r} is stored quantised ({method}), which needs CUDA and the library of that method; name the "
        "model that it was quantised from, and let the recipe's quantization do it"
    )


def _folder_of(name: str | None) -> Path | None:
    """The local folder that a name stands for, or None for a hub name."""
    if name is None or name == NAME:
        if not (EMBEDDED / "config.json").is_file():
            raise ModelError("the embedded model is not in this installation: run `make model`, or name another")
        return EMBEDDED
    folder = Path(name)
    if folder.is_dir():
        return folder
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelError(f"model {name!r}: no such folder, and not a hub name (owner/model)")
    return None


def _family_of(model_type: str, label: str) -> Backbone:
    backbone = backbone_of(model_type)
    if backbone is None:
        raise ModelError(f"model {label!r} is of class {model_type!r}; expected one of {_families()}")
    return backbone


def _families() -> str:
    return ", ".join(t for b in BACKBONES for t in b.model_types)


def _dtype(backbone: Backbone, config: Any, label: str) -> tuple[torch.dtype, tuple[str, ...]]:
    """The dtype that a model is computed in on this machine, and the line for the user where it is not the usual one.

    bfloat16 on an accelerator (float16 overflows in Gemma 3). On a CPU float32, unless its weights would take more than
    half of the memory.
    """
    if torch.cuda.is_available():
        return torch.bfloat16, ()
    with torch.device("meta"):
        weights = sum(p.numel() for p in backbone.model_class(config).parameters())
    needed, there = weights * torch.float32.itemsize, available_memory()
    if needed <= there * _WEIGHTS_SHARE:
        return torch.float32, ()
    return torch.bfloat16, (
        f"model {label}: computed in bfloat16, because its weights take {needed / 1e9:.1f} GB in float32 and this "
        f"machine has {there / 1e9:.1f} GB of memory",
    )
