"""Attach an adapter to its base, and merge it; refuse one that would be without effect."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor, nn

from amrg.models.adapters.config import read_config
from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from amrg.models.adapters.names import PREFIX, Slot
from amrg.models.adapters.placing import Placement, place
from amrg.models.errors import ModelError

MAGNITUDE_TOLERANCE = 1e-2
"""Relative difference of a DoRA magnitude from its column's norm that bfloat16 or four bits of the base explain."""


@dataclass(frozen=True)
class Attached:
    """A base with an adapter attached, where its tensors went, and the configuration under today's names.

    `moving` are the modules that the adapter makes a difference to: where training did not reach, LoRA's B is zero.
    """

    tuned: PeftModel
    placement: Placement
    config: LoraConfig
    moving: frozenset[str]


def attach(model: Any, folder: Path) -> Attached:
    """A model with an adapter attached, in place and unmerged, ready to draft.

    Raises:
        ModelError: a tensor has no place in the model, the file lacks tensors, or the adapter would change nothing.
    """
    config = read_config(folder)
    placement = place(model, folder, config)
    stored = load_file(folder / WEIGHTS_FILE)
    _refuse_other_base(model, placement, stored, folder)
    exact = _config_of(config, placement)
    _untie(model, placement)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that PEFT still uses, and of tied layers, which are untied above
        tuned = PeftModel(model, exact)
        fresh = get_peft_model_state_dict(tuned, save_embedding_layers=False)
        state = {name: stored[found] for name, found in placement.names.items()}
        moving = _moving(placement, fresh, state)
        if not moving:
            raise ModelError(
                f"adapter {folder.name}: it changes nothing (every lora_B is zero): it was saved before any training "
                "step, or its training did not reach the weights; train it again"
            )
        set_peft_model_state_dict(tuned, dict(state))
    _check(get_peft_model_state_dict(tuned, save_embedding_layers=False), state, folder)
    return Attached(tuned.eval(), placement, exact, moving)


def merge(tuned: PeftModel, name: str) -> Any:
    """The base with its attached adapter merged in.

    Raises:
        ModelError: the adapter holds numbers that are not finite.
    """
    try:
        return tuned.merge_and_unload(safe_merge=True).eval()
    except ValueError as error:
        raise ModelError(
            f"adapter {name}: it holds numbers that are not finite ({error}); train it again, at a lower rate"
        ) from error


def _config_of(config: LoraConfig, placement: Placement) -> LoraConfig:
    """The configuration for these modules under today's names, and no other ones."""
    exact = copy.deepcopy(config)
    exact.task_type = exact.exclude_modules = exact.layers_to_transform = exact.layers_pattern = None
    exact.target_modules = set(placement.ranks)
    exact.modules_to_save = list(placement.saved) or None
    exact.rank_pattern = {m: r for m, r in placement.ranks.items() if r != config.r}
    exact.alpha_pattern = {m: a for m, a in placement.alphas.items() if a != config.lora_alpha}
    exact.init_lora_weights, exact.inference_mode = True, True
    return exact


def _refuse_other_base(model: Any, placement: Placement, stored: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse stored weights of the base itself that are not those of this base.

    Raises:
        ModelError: names the first one.
    """
    own = model.state_dict()
    for name, found in placement.base_copies.items():
        if not _same(own[name], stored[found]):
            raise ModelError(
                f"adapter {folder.name}: {WEIGHTS_FILE} has {found}, which differs from its base's and is not in "
                f"modules_to_save of {CONFIG_FILE}; name the base that it was trained on, or save it again"
            )


def _untie(model: Any, placement: Placement) -> None:
    """Give a head its own weights where an adapter changes it or the embeddings by themselves.

    Tied weights are one tensor: merging into one of the two would change the other, which training did not.
    """
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    touched = [m for m in placement.changed if model.get_submodule(m) in (head, embeddings)]
    if touched and head is not None and head.weight is embeddings.weight:
        head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        for config in (model.config, model.config.get_text_config()):
            config.tie_word_embeddings = False


def _moving(placement: Placement, fresh: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> frozenset[str]:
    """The modules that the adapter moves: a fresh adapter's B is zero, its magnitudes and full modules the base's."""
    moved = [name.removeprefix(PREFIX) for name, tensor in state.items() if _is_moved(name, fresh[name].cpu(), tensor)]
    return frozenset(m for m in placement.changed if any(name.startswith(f"{m}.") for name in moved))


def _is_moved(name: str, before: Tensor, stored: Tensor) -> bool:
    if f".{Slot.A}" in name or f".{Slot.EMBEDDING_A}" in name:
        return False
    if Slot.MAGNITUDE in name:
        return not torch.allclose(stored.float(), before.float(), rtol=MAGNITUDE_TOLERANCE, atol=0)
    return not (stored.isfinite().all() and _same(before, stored))


def _check(attached: Mapping[str, Tensor], state: Mapping[str, Tensor], folder: Path) -> None:
    """Every stored tensor is in the model now, and the model has no other one.

    Raises:
        ModelError: PEFT left one out.
    """
    lost = [name for name, tensor in state.items() if not _same(attached.get(name), tensor)]
    if lost or attached.keys() - state.keys():
        name = (lost or sorted(attached.keys() - state.keys()))[0]
        raise ModelError(f"adapter {folder.name}: PEFT did not attach {name}; please report this, with {CONFIG_FILE}")


def _same(found: Tensor | None, stored: Tensor) -> bool:
    """Whether two tensors are equal in the precision of the coarser one: a base may be in less than was stored."""
    if found is None or found.shape != stored.shape:
        return False
    one, other = torch.nan_to_num(found.cpu()), torch.nan_to_num(stored.cpu())
    return torch.equal(one, other.to(one.dtype)) or torch.equal(one.to(other.dtype), other)
