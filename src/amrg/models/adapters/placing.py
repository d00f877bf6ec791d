"""Where each tensor of an adapter belongs in a base: exactly one module of the right shape, or the adapter is refused.

PEFT fills what an adapter's file lacks with fresh weights and skips surplus tensors, with a warning, so that an adapter
of another base or release drafts as if it had not been trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amrg.models.adapters.checks import (
    Contents,
    by_pattern,
    lacking_modules,
    modules_in_full,
    refuse_lacking,
    refuse_other_ranks,
    refuse_shapes,
)
from amrg.models.adapters.files import WEIGHTS_FILE, Shapes, stored_shapes
from amrg.models.adapters.layouts import CURRENT, Layout, layouts_of
from amrg.models.adapters.makers import foreign_names
from amrg.models.adapters.names import PREFIX, Slot, StoredName, parse_name
from amrg.models.errors import ModelError


@dataclass(frozen=True)
class Placement:
    """An adapter's tensors by the names that they have in memory.

    `names` are PEFT's names of today to the stored ones, `ranks` the rank of each module with LoRA, `alphas` the alpha
    of each, `saved` the modules trained in full, `base_copies` stored tensors that must be equal to the base's own.
    """

    layout: Layout
    names: Mapping[str, str]
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    saved: tuple[str, ...]
    base_copies: Mapping[str, str]

    @property
    def changed(self) -> frozenset[str]:
        """Modules with LoRA, and those trained in full."""
        return frozenset((*self.ranks, *self.saved))

    def weights(self, modules: frozenset[str]) -> frozenset[str]:
        """The base's weights that the adapter changes in some modules: LoRA's `weight`, all of a module in full."""
        full = (name.removeprefix(PREFIX) for name in self.names)
        inside = {name for name in full for module in modules.intersection(self.saved) if name.startswith(f"{module}.")}
        return frozenset(f"{module}.weight" for module in modules.intersection(self.ranks)) | inside

    def notes(self, name: str) -> tuple[str, ...]:
        """A line where the names are of another release or tool than the installed one's."""
        if self.layout is CURRENT:
            return ()
        return (
            f"adapter {name}: tensors are named as by {self.layout.description}; all {len(self.names)} have a place",
        )

    @property
    def renamed(self) -> bool:
        """Whether the file has other names than PEFT would write today."""
        return any(name != stored for name, stored in self.names.items()) or bool(self.base_copies)


def place(model: Any, folder: Path, config: Any) -> Placement:
    """Find the one module of a base that each tensor of an adapter is for.

    Raises:
        ModelError: one line that says which tensors have no place, what wrote them, and what to do.
    """
    shapes = stored_shapes(folder / WEIGHTS_FILE)
    found = _parsed(shapes, folder)
    layouts, targets = _fitting_layouts(model, found, folder)
    contents = Contents(folder, shapes, *_by_target(found, targets))
    modules = dict(model.named_modules())
    for module in contents.lora:
        refuse_shapes(contents, module, modules[module])
    saved = modules_in_full(contents, model, layouts[0], config)
    # Names of the language model alone may be those of an earlier release's whole model, which has more to train.
    layout = next((fit for fit in layouts if not lacking_modules(contents, modules, fit, config)), layouts[0])
    refuse_lacking(contents, lacking_modules(contents, modules, layout, config))
    refuse_other_ranks(contents, layout, config)
    base_copies = {name: s for name, s in contents.full.items() if not any(name.startswith(f"{m}.") for m in saved)}
    return Placement(
        layout=layout,
        names={slot.tensor(module): name for module, slots in contents.lora.items() for slot, name in slots.items()}
        | {PREFIX + name: stored for name, stored in contents.full.items() if name not in base_copies},
        ranks={module: contents.rank(module) for module in contents.lora},
        alphas={m: by_pattern(config.alpha_pattern, layout, m, config.lora_alpha) for m in contents.lora},
        saved=saved,
        base_copies=base_copies,
    )


def _parsed(shapes: Shapes, folder: Path) -> dict[StoredName, str]:
    """Stored names by what they mean; refuse a file that holds a tensor twice, or nothing."""
    found: dict[StoredName, str] = {}
    for name in sorted(shapes):
        parsed = parse_name(name)
        if parsed in found:
            raise ModelError(
                f"adapter {folder.name}: {WEIGHTS_FILE} holds two adapters ({found[parsed]} and {name}); expected one: "
                "save the one to be used by itself"
            )
        found[parsed] = name
    if not found:
        raise ModelError(f"adapter {folder.name}: {WEIGHTS_FILE} holds no tensor; train it again, or copy it again")
    return found


def _by_target(
    found: Mapping[StoredName, str], targets: Mapping[str, str]
) -> tuple[dict[str, dict[Slot, str]], dict[str, str]]:
    """Stored names of LoRA by module and slot, and of parameters in full by parameter."""
    lora: dict[str, dict[Slot, str]] = {}
    full: dict[str, str] = {}
    for parsed, stored in found.items():
        target = targets[parsed.target]
        if parsed.slot is None:
            full[target] = stored
        else:
            lora.setdefault(target, {})[parsed.slot] = stored
    return lora, full


def _fitting_layouts(model: Any, found: Mapping[StoredName, str], folder: Path) -> tuple[list[Layout], dict[str, str]]:
    """The layouts in which every stored tensor has the same place, at least one, and these places in memory."""
    modules, parameters = {name for name, _ in model.named_modules()}, set(model.state_dict())
    fits = [(_targets(layout, found, modules, parameters), layout) for layout in layouts_of(model.config.model_type)]
    targets, best = max(fits, key=lambda fit: len(fit[0]))  # the first of equals
    homeless = [stored for parsed, stored in found.items() if parsed.target not in targets]
    if homeless:
        names = best.names(modules)
        raise ModelError(foreign_names(folder, type(model).__name__, names, homeless, len(found)))
    return [layout for same, layout in fits if same == targets], targets


def _targets(
    layout: Layout, found: Mapping[StoredName, str], modules: set[str], parameters: set[str]
) -> dict[str, str]:
    """Places in memory of stored names in a layout, as far as it has them."""
    of_modules, of_parameters = layout.names(modules), layout.names(parameters)
    places = {p.target: (of_parameters if p.slot is None else of_modules).get(_own(p)) for p in found}
    return {target: place for target, place in places.items() if place is not None}


def _own(parsed: StoredName) -> str:
    """A base's own parameter: PEFT stores an adapted embedding's as its `base_layer`."""
    return parsed.target.replace(".base_layer.", ".")
