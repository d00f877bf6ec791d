"""Names of an adapter's tensors: the module they belong to, and what they are there.

PEFT writes `base_model.model.<module>.lora_A.weight`. Tools that save a state dict of their own leave the adapter's
name in (`lora_A.default.weight`), or the wrappers of torch (`module.`, `_orig_mod.`, `_fsdp_wrapped_module.`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "base_model.model."
"""What PEFT puts before the names of a base's modules."""

_WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_LORA = re.compile(
    r"(?P<module>.+)\.(?P<slot>lora_(?:A|B|embedding_A|embedding_B|magnitude_vector))"
    r"(?:\.(?!weight$)[^.]+)?(?:\.weight)?"
)
_SAVED = re.compile(r"\.modules_to_save\.(?:(?!(?:weight|bias)$)[^.]+\.)?")


class Slot(StrEnum):
    """What a tensor of LoRA is."""

    A = "lora_A"
    B = "lora_B"
    EMBEDDING_A = "lora_embedding_A"
    EMBEDDING_B = "lora_embedding_B"
    MAGNITUDE = "lora_magnitude_vector"

    def tensor(self, module: str) -> str:
        """PEFT's name of the tensor of a module of the base."""
        return f"{PREFIX}{module}.{self.value}" + (".weight" if self in (Slot.A, Slot.B) else "")


@dataclass(frozen=True)
class StoredName:
    """A stored tensor: `slot` and its module, or, without a slot, a parameter of the base trained in full."""

    target: str
    slot: Slot | None


def parse_name(name: str) -> StoredName:
    """A tensor's name without prefix, wrappers and adapter name."""
    inner = _WRAPPERS.sub("", name)
    while inner.startswith(PREFIX):
        inner = inner.removeprefix(PREFIX)
    found = _LORA.fullmatch(inner)
    if found is not None:
        return StoredName(found["module"], Slot(found["slot"]))
    return StoredName(_SAVED.sub(".", inner), None)
