"""Which weights an export changes, part by part: a tower whose training was lost shows little in the answers.

Tools have merged the language model's LoRA alone, and reported nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open

from amrg.core.values import Value
from amrg.models.adapters.files import stored_shapes
from amrg.models.backbones.base import Backbone, Part
from amrg.models.checkpoint import weight_files
from amrg.models.errors import ModelError
from amrg.models.hubnames import hub_name


class PartChange(Value):
    """Of one part of a model: the weights that the adapter trains, and those of them that the export changes."""

    part: Part
    trained: int
    changed: int


def changes_by_part(backbone: Backbone, trained: Iterable[str], changed: Iterable[str]) -> tuple[PartChange, ...]:
    """Counts of weights, by their names on the hub, in every part that was trained or changed."""
    of_trained, of_changed = (Counter(backbone.part_of(name) for name in names) for names in (trained, changed))
    return tuple(
        PartChange(part=part, trained=of_trained[part], changed=of_changed[part])
        for part in Part
        if of_trained[part] or of_changed[part]
    )


def refuse_lost_parts(parts: Iterable[PartChange], what: str) -> None:
    """Refuse an export without the training of a part, or with changes that training did not make.

    Raises:
        ModelError: names the part, and the counts.
    """
    for found in parts:
        if found.changed == 0:
            raise ModelError(
                f"{what}: the export changes none of the {found.trained} weights that its adapter trains in the "
                f"{found.part}: its training did not reach them (every lora_B there is zero), or they were lost; train "
                "it again, or train without them"
            )
        if found.changed > found.trained:
            raise ModelError(
                f"{what}: the export changes {found.changed} weights of the {found.part}, and its adapter trains "
                f"{found.trained}; nothing was exported, please report this"
            )


def changed_weights(base: Path, export: Path, model_type: str) -> frozenset[str]:
    """Hub names of the weights that are in the files of both and differ, rounded to the export's type."""
    before, after = (_places(folder, model_type) for folder in (base, export))
    with ExitStack() as stack:
        files = {
            file: stack.enter_context(safe_open(file, "pt"))
            for file in {file for file, _ in (*before.values(), *after.values())}
        }
        return frozenset(
            name
            for name in before.keys() & after.keys()
            if not _equal(*(files[file].get_tensor(stored) for file, stored in (before[name], after[name])))
        )


def _places(folder: Path, model_type: str) -> dict[str, tuple[Path, str]]:
    """Hub names of a checkpoint's weights to their files and names there."""
    return {
        hub_name(model_type, stored): (file, stored) for file in weight_files(folder) for stored in stored_shapes(file)
    }


def _equal(before: torch.Tensor, after: torch.Tensor) -> bool:
    return torch.equal(before.to(after.dtype), after)
