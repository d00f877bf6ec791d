"""Layouts of module names: what the modules of a base are called by the releases that adapters are trained with.

transformers 4.52 moved the language model and the tower of vision-language models into `model.`, and 5.6 removed the
inner `vision_model` of SigLIP towers. PEFT names tensors after modules, so an adapter of another release names modules
that are not there, and PEFT attaches it without effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Rename = tuple[str, str]
"""A pattern at the beginning of today's module names, and its replacement."""

NOWHERE = "\0"
"""Replacement for modules that a layout does not have."""


@dataclass(frozen=True)
class Layout:
    """One way of naming a family's modules; `description` says who writes it. The first rename that fits is used."""

    description: str
    renames: tuple[Rename, ...] = ()

    def rename(self, module: str) -> str | None:
        """The layout's name of a module, from the name it has in memory; None if it does not have the module."""
        for pattern, replacement in self.renames:
            renamed, count = re.subn(rf"^{pattern}", replacement, module)
            if count:
                return None if NOWHERE in renamed else renamed
        return module

    def names(self, modules: Iterable[str]) -> dict[str, str]:
        """The layout's names of modules or parameters, to those in memory."""
        renamed = ((self.rename(module), module) for module in modules)
        return {name: module for name, module in renamed if name is not None}


CURRENT = Layout("as the installed transformers names modules")
_NO_HEAD = Layout("LoRA on the model without its head", ((r"model\.", ""), (r"lm_head", NOWHERE)))


def _language_alone(language: str) -> tuple[Layout, ...]:
    """The language model as a text model: with its head, and without."""
    return (
        Layout(
            "the text model alone (AutoModelForCausalLM)",
            ((rf"{language}\.", "model."), (r"model(?=\.|$)", NOWHERE)),
        ),
        Layout("LoRA on the language model alone", ((rf"{language}\.", ""), (r"", NOWHERE))),
    )


_SIGLIP = r"model\.vision_tower\.(?=embeddings\.|encoder\.|post_layernorm\b|head\b)"
_LAYOUTS: dict[str, tuple[Layout, ...]] = {  # by `model_type` of the configuration
    "gemma3": (
        Layout("transformers 4.52 to 5.5", ((_SIGLIP, "model.vision_tower.vision_model."),)),
        Layout(
            "transformers 4.50 and 4.51",
            (
                (r"model\.language_model(?=\.|$)", "language_model.model"),
                (r"lm_head", "language_model.lm_head"),
                (_SIGLIP, "vision_tower.vision_model."),
                (r"model\.", ""),
            ),
        ),
        *_language_alone(r"model\.language_model"),
    ),
    "qwen2_5_vl": (
        Layout(
            "transformers before 4.52",
            ((r"model\.visual(?=\.|$)", "visual"), (r"model\.language_model(?=\.|$)", "model")),
        ),
        *_language_alone(r"model\.language_model"),
    ),
    "qwen3_vl": _language_alone(r"model\.language_model"),
    "smolvlm": _language_alone(r"model\.text_model"),
    "phi3_v": (),
}


def layouts_of(model_type: str) -> tuple[Layout, ...]:
    """The known layouts of a family, today's first."""
    return (CURRENT, *_LAYOUTS.get(model_type, ()), _NO_HEAD)
