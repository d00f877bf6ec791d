"""Checks of an adapter's tensors against the modules that they are for, and against its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key
from torch import nn

from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE, Shapes
from amrg.models.adapters.layouts import Layout
from amrg.models.adapters.makers import made_by
from amrg.models.adapters.names import Slot
from amrg.models.errors import ModelError

ALL_LINEAR = "all-linear"
_PAIRS = ((Slot.A, Slot.B), (Slot.EMBEDDING_A, Slot.EMBEDDING_B))
_OTHER_BASE = f"name the base that it was trained on in {CONFIG_FILE}"


@dataclass(frozen=True)
class Contents:
    """An adapter's tensors: their shapes by stored name, LoRA by module in memory and slot, parameters in full."""

    folder: Path
    shapes: Shapes
    lora: Mapping[str, Mapping[Slot, str]]
    full: Mapping[str, str]

    def rank(self, module: str) -> int:
        """The rank of a module's LoRA, the first axis of its A; 0 where that has none."""
        slots = self.lora[module]
        first = next((slots[a] for a, _ in _PAIRS if a in slots), None)
        return next(iter(self.shapes[first]), 0) if first else 0


def refuse_shapes(contents: Contents, name: str, module: nn.Module) -> None:
    """Refuse half a pair of tensors, and shapes that do not fit their module.

    Raises:
        ModelError: names the tensor, its shape, and the expected one.
    """
    slots = contents.lora[name]
    pair = next((p for p in _PAIRS if any(slot in slots for slot in p)), _PAIRS[0])
    if any(slot not in slots for slot in pair):
        raise ModelError(
            f"adapter {contents.folder.name}: {WEIGHTS_FILE} has {next(iter(slots.values()))} without its other half; "
            f"expected {' and '.join(pair)}: it was saved incompletely, train it again or copy it again"
        )
    expected: dict[Slot, tuple[int, ...]] = _expected_shapes(module, contents.rank(name))
    for slot in pair:
        shape = contents.shapes[slots[slot]]
        if shape != expected.get(slot) or not all(shape):
            needs = f"needs {list(expected[slot])}" if slot in expected else "takes none"
            raise ModelError(
                f"adapter {contents.folder.name} does not fit its base: {slots[slot]} is {list(shape)}, and {name} "
                f"there {needs} ({_why_shape(shape)}); {_OTHER_BASE}"
            )


def _why_shape(shape: tuple[int, ...]) -> str:
    if len(shape) < 2 or not all(shape):
        return "it looks saved from a sharded model without gathering its parameters"
    return "it was trained on a model of another size"


def _expected_shapes(module: nn.Module, rank: int) -> dict[Slot, tuple[int, ...]]:
    if isinstance(module, nn.Linear):
        return {Slot.A: (rank, module.in_features), Slot.B: (module.out_features, rank)}
    if isinstance(module, nn.Embedding):
        return {Slot.EMBEDDING_A: (rank, module.num_embeddings), Slot.EMBEDDING_B: (module.embedding_dim, rank)}
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        inside, kernel = module.in_channels // module.groups, tuple(module.kernel_size)
        return {Slot.A: (rank, inside, *kernel), Slot.B: (module.out_channels, rank, *(1 for _ in kernel))}
    return {}


def modules_in_full(contents: Contents, model: Any, layout: Layout, config: Any) -> tuple[str, ...]:
    """Modules in memory that an adapter trained in full, each stored with all its parameters.

    Raises:
        ModelError: a module's parameters are stored in part, or have another shape.
    """
    own: Mapping[str, Any] = model.state_dict()
    for name, stored in contents.full.items():
        if contents.shapes[stored] != tuple(own[name].shape):
            raise ModelError(
                f"adapter {contents.folder.name} does not fit its base: {stored} is {list(contents.shapes[stored])}, "
                f"expected {list(own[name].shape)}: its base has another size, or its vocabulary was extended; "
                f"{_OTHER_BASE}"
            )
    requested = tuple(config.modules_to_save or ())
    named = {module: (str(layout.rename(module)), module) for module, _ in model.named_modules()}
    # PEFT compares ends of names. The names may be of the layout, or of today where only the tensors were renamed.
    saved = {module: a for module, names in named.items() for a in requested if any(n.endswith(a) for n in names)}
    lacking = [a for a in requested if a not in saved.values()]
    lacking += [name for module in saved for name in own if name.startswith(f"{module}.") and name not in contents.full]
    if lacking:
        raise ModelError(
            f"adapter {contents.folder.name}: {WEIGHTS_FILE} lacks {lacking[0]} (one of {len(lacking)}), which "
            f"{CONFIG_FILE} says was trained in full; it was saved incompletely: save it again, or train it again"
        )
    return tuple(saved)


def by_pattern(patterns: Mapping[str, Any], layout: Layout, module: str, default: float) -> float:
    """A module's value of a PEFT pattern, whose keys are of the layout."""
    name = str(layout.rename(module))
    value: float = patterns.get(get_pattern_key(patterns.keys(), name), default)
    return value


def lacking_modules(contents: Contents, modules: Mapping[str, nn.Module], layout: Layout, config: Any) -> list[str]:
    """Modules that an adapter's configuration puts LoRA on, in a layout, and that its file has none for."""
    names = {module: layout.rename(module) for module in modules}
    return [m for m, layer in modules.items() if m not in contents.lora and _is_targeted(config, names[m], layer)]


def refuse_lacking(contents: Contents, lacking: Sequence[str]) -> None:
    """Refuse a file without all that its configuration says was trained.

    Raises:
        ModelError: names the first module that is not there.
    """
    if lacking:
        written = made_by(contents.folder, ", written by {}")
        raise ModelError(
            f"adapter {contents.folder.name}: {WEIGHTS_FILE} lacks the LoRA of {lacking[0]} (one of {len(lacking)} "
            f"modules that {CONFIG_FILE} targets; {len(contents.lora)} are there{written}): it was saved incompletely, "
            f"or made for another base; train it again, or {_OTHER_BASE}"
        )


def refuse_other_ranks(contents: Contents, layout: Layout, config: Any) -> None:
    """Refuse weights of other ranks, or of another kind of LoRA, than their configuration says.

    Raises:
        ModelError: names the first module that differs.
    """
    for module, slots in contents.lora.items():
        rank, expected = contents.rank(module), by_pattern(config.rank_pattern, layout, module, config.r)
        if rank != expected:
            raise ModelError(
                f"adapter {contents.folder.name}: the LoRA of {module} has rank {rank}, {CONFIG_FILE} says "
                f"{expected:g}; the two files are of two adapters: copy both again"
            )
        if config.use_dora != (Slot.MAGNITUDE in slots):
            raise ModelError(
                f"adapter {contents.folder.name}: {module} has {'no' if config.use_dora else 'a'} magnitude vector, "
                f"and {CONFIG_FILE} says use_dora is {str(config.use_dora).lower()}; copy both files again"
            )


def _is_targeted(config: Any, name: str | None, layer: nn.Module) -> bool:
    """Whether an adapter's configuration puts LoRA on a module of this name in its layout."""
    if name is None or config.target_modules is None or not _expected_shapes(layer, 1):
        return False
    if config.target_modules == ALL_LINEAR:
        return isinstance(layer, nn.Linear) and not name.endswith("lm_head")
    return bool(check_target_module_exists(config, name))
