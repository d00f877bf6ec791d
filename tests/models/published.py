"""What published checkpoints hold, kept as data: names and shapes of their tensors, and where these were seen.

No checkpoint of a few billion parameters is needed to know that amrg loads it whole: its names and shapes are put
before transformers' own loader on the meta device, where a tensor has a shape and no numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers.core_model_loading import revert_weight_conversion
from transformers.modeling_utils import remove_tied_weights_from_state_dict

from amrg.core.values import Value
from amrg.models.backbones.registry import backbone_of

FOLDER = Path(__file__).parent / "published"
LAYER = "{n}"

Shapes = dict[str, tuple[int, ...]]
"""Names of tensors with their shapes."""


class SourceSeen(Value):
    """Where something about a checkpoint was seen, and what exactly."""

    what: str
    where: str


class Repeated(Value):
    """A tensor of `shape`, `count` times over: once for each layer numbered from 0 where its name has `{n}`."""

    shape: tuple[int, ...]
    count: int = 1


class Published(Value):
    """One published checkpoint: tensors under the names of its own files, `config` as published.

    `parameters` is the published number of them, `revision` the hub commit where the sources name one. `inferred_from`
    is the checkpoint of the same class whose names and shapes stand in where its own were not seen: what holds it to
    its files is then their number alone.
    """

    name: str
    revision: str | None
    inferred_from: str | None = None
    sources: tuple[SourceSeen, ...]
    parameters: int
    config: dict[str, Any]
    tensors: dict[str, Repeated]


def published_names() -> tuple[str, ...]:
    """Hub names of the checkpoints that there are data of."""
    return tuple(_read(path).name for path in sorted(FOLDER.glob("*.json")))


def read_published(name: str) -> Published:
    """What is known of a checkpoint by its hub name.

    Raises:
        KeyError: there are no data of it.
    """
    found = next((p for p in map(_read, sorted(FOLDER.glob("*.json"))) if p.name == name), None)
    if found is None:
        raise KeyError(f"{name}: no data of this checkpoint; expected one of {', '.join(published_names())}")
    return found


def tensors_of(published: Published) -> Shapes:
    """Every tensor of a checkpoint, layers written out."""
    return {
        name.replace(LAYER, str(n)): repeated.shape
        for name, repeated in published.tensors.items()
        for n in range(repeated.count)
    }


def on_meta(published: Published) -> tuple[Any, list[str]]:
    """The model that a checkpoint's tensors make, on the meta device, and the names that do not fit it.

    Names are those that are missing, too many, or of another shape: none where the checkpoint loads whole.
    """
    backbone = backbone_of(published.config["model_type"])
    if backbone is None:
        raise KeyError(f"{published.name}: no family takes model_type {published.config['model_type']!r}")
    model, info = backbone.model_class.from_pretrained(
        None,
        config=backbone.model_class.config_class.from_dict(published.config),
        state_dict={n: torch.empty(shape, device="meta") for n, shape in tensors_of(published).items()},
        device_map="meta",
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    wrong = {*info["missing_keys"], *info["unexpected_keys"], *(key for key, *_ in info["mismatched_keys"])}
    return model, sorted(wrong)


def written(model: Any) -> Shapes:
    """Names and shapes that `save_pretrained` writes of a model.

    A model that was loaded is written under the names it was loaded from: transformers keeps the renamings that
    loading used. One that was built from a configuration has used none, and is written without Gemma 3's inner
    `vision_model`, which serving engines want.
    """
    tensors = remove_tied_weights_from_state_dict(model.state_dict(), model)
    return {name: tuple(tensor.shape) for name, tensor in revert_weight_conversion(model, tensors).items()}


def _read(path: Path) -> Published:
    return Published.model_validate_json(path.read_text(encoding="utf-8"))
