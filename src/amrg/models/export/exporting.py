"""Hand on what was trained: an adapter merged into its base, or by itself, each compared with what it came from.

An export appears whole or not at all: it is written beside its folder, read again, asked, and only then given its name.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import GenerationConfig
from transformers.utils import cached_file

from amrg.core.values import Value
from amrg.models.adapters import (
    CONFIG_FILE,
    RECIPE_FILE,
    TRAINING_FILE,
    WEIGHTS_FILE,
    Shapes,
    is_adapter,
    merge,
    read_config,
)
from amrg.models.embedded import guard
from amrg.models.errors import ModelError
from amrg.models.export.card import Origin, write_card
from amrg.models.export.notices import terms_of
from amrg.models.export.verifying import Answers, ExportComparison, answers_of, compare_answers, refuse_unlike
from amrg.models.export.vllm import adapter_notes, adapter_obstacles, merged_obstacles
from amrg.models.hubnames import checkpoint_shapes, hub_name, rename_to_hub, weight_files
from amrg.models.load import LoadedModel, Unmerged, load_base, load_unmerged, save_heads

COPIED = (RECIPE_FILE, TRAINING_FILE)
SHARD = "5GB"
_OF_THE_HUB = ("LICENSE", "LICENSE.txt", "LICENSE.md", "tokenizer.model")
_STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class ExportKind(StrEnum):
    """What is handed on."""

    MERGED = "merged"
    ADAPTER = "adapter"


@dataclass(frozen=True)
class ExportRequest:
    """What to export and where to; `dtype` None keeps the base's, `for_vllm` refuses what vLLM cannot serve.

    `shard` is the size above which weights are written into several files, as transformers reads it.
    """

    adapter: Path
    out: Path
    dtype: torch.dtype | None = None
    for_vllm: bool = False
    shard: str = SHARD


class Exported(Value):
    """What was written, how it compares, and what whoever serves it must know."""

    folder: Path
    kind: ExportKind
    base: str
    stored: str
    files: tuple[str, ...]
    comparison: ExportComparison
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Original:
    """What base and adapter answered before anything was written, and what the base's files hold.

    `untold` are names in those files that the model does not need told: tied to others, or not its own.
    """

    base: Answers
    adapter: Answers
    shapes: Shapes
    untold: frozenset[str]
    stored: torch.dtype
    origin: Origin


def export_merged(order: ExportRequest) -> Exported:
    """Merge an adapter into its base and write a whole model, as the hub and vLLM name its weights.

    Raises:
        ModelError: the adapter cannot be loaded, the export is not what was trained, or vLLM could not serve it.
        OSError: the folder cannot be written.
    """
    with _whole_folder(order) as partial:
        before = _merge_into(partial, order)
        comparison = verify_merged(partial, before)
        write_card(partial, before.origin, comparison)
    return _exported(order, ExportKind.MERGED, before, comparison)


def export_adapter(order: ExportRequest) -> Exported:
    """Write an adapter by itself, as PEFT and vLLM take it.

    Raises:
        ModelError: as for `export_merged`.
        OSError: the folder cannot be written.
    """
    with _whole_folder(order) as partial:
        unmerged = load_unmerged(order.adapter, torch.float32)
        obstacles = adapter_obstacles(unmerged.loaded, order.adapter)
        notes = (*adapter_notes(unmerged.loaded, order.adapter), *_where_the_base_is(order.adapter))
        before = _before(unmerged, order, obstacles, notes)
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            shutil.copyfile(order.adapter / name, partial / name)
        _write_beside(partial, order, unmerged.loaded)
        del unmerged
        comparison = _compared(load_unmerged(partial, torch.float32).loaded, before, torch.float32)
        refuse_unlike(comparison, order.adapter.name)
        write_card(partial, before.origin, comparison)
    return _exported(order, ExportKind.ADAPTER, before, comparison)


def verify_merged(folder: Path, before: Original) -> ExportComparison:
    """Hold a merged model on disk against its base's files, by name and shape, and against base and adapter, asked.

    Raises:
        ModelError: tensors are missing, too many or of another shape, or it does not answer as the adapter.
    """
    model_type = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    held = _without(checkpoint_shapes(folder, model_type), before.untold)
    if held != before.shapes:
        name = min(held.items() ^ before.shapes.items())[0]
        here, there = held.get(name), before.shapes.get(name)
        raise ModelError(
            f"{before.origin.name}: the export holds {name} as {here}, its base as {there}; "
            "expected all of the base's tensors and no other: some would be lost, so nothing was exported"
        )
    comparison = _compared(load_base(str(folder), dtype=torch.float32), before, before.stored)
    refuse_unlike(comparison, before.origin.name)
    return comparison


def _compared(export: LoadedModel, before: Original, stored: torch.dtype) -> ExportComparison:
    return compare_answers(before.base, before.adapter, answers_of(export, before.adapter.rows), stored)


def _merge_into(partial: Path, order: ExportRequest) -> Original:
    """Write the merged model with all that belongs to it; the models in memory are gone afterwards."""
    unmerged = load_unmerged(order.adapter, torch.float32)
    before = _before(unmerged, order, merged_obstacles(unmerged.loaded), ())
    merged = merge(unmerged.tuned, order.adapter.name).to(before.stored)
    loaded = unmerged.loaded
    tokenizer = loaded.processor.tokenizer
    merged.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=loaded.backbone.eos_token_id(loaded.processor),
        pad_token_id=tokenizer.pad_token_id,
    )
    merged.save_pretrained(partial, max_shard_size=order.shard)
    rename_to_hub(partial, merged.config.model_type)
    loaded.processor.save_pretrained(partial)
    if loaded.heads is not None:
        save_heads(loaded.heads, partial)
        if loaded.folder is not None and (loaded.folder / guard.FILE_NAME).is_file():
            shutil.copyfile(loaded.folder / guard.FILE_NAME, partial / guard.FILE_NAME)
    _write_beside(partial, order, loaded)
    return before


def _before(unmerged: Unmerged, order: ExportRequest, obstacles: tuple[str, ...], notes: tuple[str, ...]) -> Original:
    """Ask base and adapter, and look at the base's files; refuse at once what vLLM is wanted for and cannot serve."""
    if order.for_vllm and obstacles:
        raise ModelError(f"adapter {order.adapter.name}: {obstacles[0]}")
    loaded = unmerged.loaded
    files = _folder_of(loaded)
    adapter = answers_of(loaded)
    with unmerged.tuned.disable_adapter():
        base = answers_of(loaded, adapter.rows)
    config: Any = read_config(order.adapter)
    name = str(config.base_model_name_or_path)
    shapes = checkpoint_shapes(files, loaded.model.config.model_type)
    untold = untold_names(loaded.model, shapes)
    return Original(
        base=base,
        adapter=adapter,
        shapes=_without(shapes, untold),
        untold=untold,
        stored=order.dtype or _stored_as(files),
        origin=Origin(
            name=order.adapter.name,
            folder=order.adapter,
            base=name,
            revision=loaded.revision,
            architecture=loaded.backbone.model_class.__name__,
            terms=terms_of(name, files),
            warnings=(*obstacles, *notes),
        ),
    )


def untold_names(model: Any, shapes: Shapes) -> frozenset[str]:
    """Names in a checkpoint's files that an export has no need to repeat.

    Some are written out beside what they are tied to, as a head that is the embeddings; some are of parts that the
    model's class does not have and leaves in the file.
    """
    model_type = model.config.model_type
    tied = {hub_name(model_type, name) for name in model.all_tied_weights_keys}
    ignored = [re.compile(pattern) for pattern in model._keys_to_ignore_on_load_unexpected or ()]
    return frozenset(name for name in shapes if name in tied or any(p.search(name) for p in ignored))


def _without(shapes: Shapes, names: frozenset[str]) -> Shapes:
    return {name: shape for name, shape in shapes.items() if name not in names}


def _write_beside(partial: Path, order: ExportRequest, loaded: LoadedModel) -> None:
    """How it is asked, how it came about, and of the base what no library writes again: its licence, its vocabulary."""
    loaded.settings.save(partial)
    for name in COPIED:
        if (order.adapter / name).is_file():
            shutil.copyfile(order.adapter / name, partial / name)
    for file in _kept_of(loaded):
        shutil.copyfile(file, partial / file.name)


def _kept_of(loaded: LoadedModel) -> list[Path]:
    """A base's licence and its `tokenizer.model`, which llama.cpp reads Gemma's vocabulary from."""
    if loaded.folder is not None:
        return [*sorted(loaded.folder.glob("LICENSE*")), *loaded.folder.glob("tokenizer.model")]
    # Loading a hub model fetches neither: they are asked for, and had from the cache where the hub is out of reach.
    quiet = dict.fromkeys(("_raise_exceptions_for_missing_entries", "_raise_exceptions_for_connection_errors"), False)
    found = [cached_file(loaded.source, name, revision=loaded.revision, **quiet) for name in _OF_THE_HUB]
    return [Path(file) for file in found if file is not None]


def _folder_of(loaded: LoadedModel) -> Path:
    """Where a base's files lie, in the hub's own cache for a hub model."""
    if loaded.folder is not None:
        return loaded.folder
    found = cached_file(loaded.source, "config.json", revision=loaded.revision, local_files_only=True)
    return Path(str(found)).parent


def _stored_as(folder: Path) -> torch.dtype:
    """The type that most of a checkpoint's tensors are stored in."""
    counted: Counter[str] = Counter()
    for file in weight_files(folder):
        with safe_open(file, "pt") as stored:
            counted.update(stored.get_slice(name).get_dtype() for name in stored.keys())  # noqa: SIM118
    most = counted.most_common(1)
    if not most or most[0][0] not in _STORED:
        raise ModelError(
            f"model {folder.name}: its weights are stored as {most[0][0] if most else 'nothing'}, expected one of "
            f"{', '.join(_STORED)} in safetensors; name the export's with --dtype"
        )
    return _STORED[most[0][0]]


def _where_the_base_is(adapter: Path) -> tuple[str, ...]:
    """A word on a base that is named by a folder, which whoever gets the adapter does not have."""
    config: Any = read_config(adapter)
    if not Path(config.base_model_name_or_path).is_dir():
        return ()
    return (f"{CONFIG_FILE} names the base by a folder: name it by its hub name before passing the adapter on",)


@contextmanager
def _whole_folder(order: ExportRequest) -> Iterator[Path]:
    """A folder beside the one asked for, which takes its name at the end, and is removed where that is not reached."""
    if not is_adapter(order.adapter):
        raise ModelError(f"{order.adapter}: no adapter: expected a folder of `amrg train` with {CONFIG_FILE} in it")
    if order.out.exists() and (not order.out.is_dir() or any(order.out.iterdir())):
        raise ModelError(f"{order.out}: is there already and holds something; name another folder with --out")
    out = order.out.resolve()  # `.` has no name
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _exported(order: ExportRequest, kind: ExportKind, before: Original, comparison: ExportComparison) -> Exported:
    return Exported(
        folder=order.out,
        kind=kind,
        base=before.origin.base,
        stored=comparison.stored,
        files=tuple(sorted(file.name for file in order.out.iterdir())),
        comparison=comparison,
        warnings=before.origin.warnings,
    )
