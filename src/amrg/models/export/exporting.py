"""Export an adapter merged into its base, or by itself; each export is compared with base and adapter.

An export is atomic: it is written to a temporary folder, loaded again, tested, and only then renamed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import GenerationConfig
from transformers.utils import cached_file

from amrg.core.files import honour_umask, why_taken
from amrg.core.values import Value
from amrg.models.adapters.attaching import Attached, merge
from amrg.models.adapters.config import read_config
from amrg.models.adapters.files import (
    CONFIG_FILE,
    RECIPE_FILE,
    TRAINING_FILE,
    WEIGHTS_FILE,
    Shapes,
    is_adapter,
    why_no_adapter,
)
from amrg.models.card import stored_card
from amrg.models.checkpoint import folder_hash, weight_files
from amrg.models.decoding.phrases import FILE_NAME as PHRASES_FILE
from amrg.models.errors import ModelError
from amrg.models.export.card import Origin, write_card
from amrg.models.export.changes import changed_weights, changes_by_part, refuse_lost_parts
from amrg.models.export.knowing import known_answers_of
from amrg.models.export.notices import terms_of
from amrg.models.export.verifying import Answers, ExportComparison, answers_of, compare_answers, refuse_unlike
from amrg.models.export.vllm import (
    adapter_notes,
    adapter_obstacles,
    merged_obstacles,
    serve_adapter_command,
    serve_command,
)
from amrg.models.guard.distance import FILE_NAME as GUARD_FILE
from amrg.models.hubnames import checkpoint_shapes, hub_name, rename_to_hub
from amrg.models.known_answers import read_known_answers
from amrg.models.load import LoadedModel, Unmerged, load_base, load_unmerged
from amrg.models.provenance import provenance_of

COPIED = (RECIPE_FILE, TRAINING_FILE)
SHARD = "5GB"
_HUB_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "tokenizer.model")
_STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class ExportKind(StrEnum):
    """What is exported."""

    MERGED = "merged"
    ADAPTER = "adapter"


@dataclass(frozen=True)
class ExportRequest:
    """What to export and where; `dtype` None keeps the base's, `for_vllm` refuses what vLLM cannot serve.

    `shard` is the maximum file size of weights, in transformers' notation.
    """

    adapter: Path
    out: Path
    dtype: torch.dtype | None = None
    for_vllm: bool = False
    shard: str = SHARD


class Exported(Value):
    """The files, the comparison, and warnings for serving.

    `name` is what to serve it under; `serve` is the command for vLLM, None where that cannot serve it.
    """

    folder: Path
    kind: ExportKind
    base: str
    stored: str
    files: tuple[str, ...]
    comparison: ExportComparison
    name: str
    serve: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Original:
    """Answers of base and adapter before the export, and the contents of the base's files.

    `redundant` are weight names in those files that an export does not need: tied to others, or unknown to the class;
    `trained` are the hub names of the weights that the adapter changes, `files` is the base's folder;
    `servable`: whether vLLM can serve the export.
    """

    base: Answers
    adapter: Answers
    shapes: Shapes
    redundant: frozenset[str]
    trained: frozenset[str]
    files: Path
    stored: torch.dtype
    origin: Origin
    servable: bool


def export_merged(request: ExportRequest) -> Exported:
    """Merge an adapter into its base and write a full model with the weight names of the hub and vLLM.

    Raises:
        ModelError: the adapter cannot be loaded, the export differs from it, or vLLM could not serve it.
        OSError: the folder cannot be written.
    """
    with _atomic_folder(request) as partial:
        before = _merge_into(partial, request)
        comparison = verify_merged(partial, before)
        write_card(partial, before.origin, comparison)
    return _exported(request, ExportKind.MERGED, before, comparison)


def export_adapter(request: ExportRequest) -> Exported:
    """Export an adapter by itself, for PEFT and vLLM.

    Raises:
        ModelError: as for `export_merged`.
        OSError: the folder cannot be written.
    """
    with _atomic_folder(request) as partial:
        unmerged = _load(request)
        obstacles = adapter_obstacles(unmerged)
        before = _before(unmerged, request, obstacles, (*adapter_notes(unmerged), *_base_path_note(request.adapter)))
        _write_adapter(partial, request.adapter, unmerged.attached)
        _copy(request.adapter, partial, GUARD_FILE, PHRASES_FILE)
        _write_other_files(partial, request, unmerged.loaded)
        del unmerged
        again = load_unmerged(partial, torch.float32)
        comparison = _checked(partial, again.loaded, before, again.weights_of(again.attached.moving))
        write_card(partial, before.origin, comparison)
    return _exported(request, ExportKind.ADAPTER, before, comparison)


def verify_merged(folder: Path, before: Original) -> ExportComparison:
    """Compare a merged model on disk with its base's files (names and shapes) and with base and adapter (answers).

    Writes what it is known to answer beside it.

    Raises:
        ModelError: tensors are missing, surplus or of another shape, or the answers differ from the adapter's.
    """
    model_type = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    held = _without(checkpoint_shapes(folder, model_type), before.redundant)
    changed = changed_weights(before.files, folder, model_type)
    if held != before.shapes:
        name = min(held.items() ^ before.shapes.items())[0]
        here, there = held.get(name), before.shapes.get(name)
        raise ModelError(
            f"{before.origin.name}: the export has {name} as {here}, its base as {there}; "
            "expected exactly the base's tensors, so nothing was exported"
        )
    return _checked(folder, load_base(str(folder), dtype=torch.float32), before, changed)


def _checked(folder: Path, export: LoadedModel, before: Original, changed: frozenset[str]) -> ExportComparison:
    """An export that was loaded again, compared with base and adapter; its known answers are written into its folder.

    Raises:
        ModelError: a part of it, or all of it, is not the adapter's.
    """
    stored = torch.float32 if is_adapter(folder) else before.stored
    answers = answers_of(export, before.adapter.rows)
    parts = changes_by_part(export.backbone, before.trained, changed)
    found = compare_answers(before.base, before.adapter, answers, stored, parts)
    if any(part.changed for part in parts):  # else all is lost, which the answers say more of
        refuse_lost_parts(parts, before.origin.name)
    refuse_unlike(found, before.origin.name)
    own = replace(answers, rows=before.adapter.rows)  # the odds are of these rows
    known_answers_of(export, folder_hash(folder), own, (before.origin.base_name, before.base)).save(folder)
    return found


def _merge_into(partial: Path, request: ExportRequest) -> Original:
    """Write the merged model and its files; the models in memory are freed afterwards."""
    unmerged = _load(request)
    before = _before(unmerged, request, merged_obstacles(unmerged.loaded), ())
    merged = merge(unmerged.tuned, request.adapter.name).to(before.stored)
    loaded = unmerged.loaded
    tokenizer = loaded.processor.tokenizer
    merged.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=loaded.backbone.eos_token_id(loaded.processor),
        pad_token_id=tokenizer.pad_token_id,
    )
    merged.save_pretrained(partial, max_shard_size=request.shard)
    rename_to_hub(partial, merged.config.model_type)
    loaded.processor.save_pretrained(partial)
    if loaded.guard_folder is not None:
        _copy(loaded.guard_folder, partial, GUARD_FILE)
    _copy(request.adapter, partial, PHRASES_FILE)
    _write_other_files(partial, request, loaded)
    return before


def _load(request: ExportRequest) -> Unmerged:
    """The adapter on its base in float32, which a quantised base cannot be turned into."""
    unmerged = load_unmerged(request.adapter, torch.float32)
    if getattr(unmerged.loaded.model.config, "quantization_config", None) is not None:
        raise ModelError(
            f"adapter {request.adapter.name}: its base {unmerged.loaded.name} is stored quantised; name the base that "
            f"it was quantised from in {CONFIG_FILE}: an export needs its full weights"
        )
    return unmerged


def _before(unmerged: Unmerged, request: ExportRequest, obstacles: tuple[str, ...], notes: tuple[str, ...]) -> Original:
    """Prompt base and adapter, and read the base's files; refuse what vLLM is required for and cannot serve."""
    if request.for_vllm and obstacles:
        raise ModelError(f"adapter {request.adapter.name}: {obstacles[0]}")
    loaded = unmerged.loaded
    files = _folder_of(loaded)
    adapter = answers_of(loaded)
    with unmerged.tuned.disable_adapter():
        base = answers_of(loaded, adapter.rows)
    config: Any = read_config(request.adapter)
    name = str(config.base_model_name_or_path)
    shapes = checkpoint_shapes(files, loaded.model.config.model_type)
    redundant = redundant_names(loaded.model, shapes)
    card = stored_card(files)
    return Original(
        base=base,
        adapter=adapter,
        shapes=_without(shapes, redundant) | _own_head(loaded.model),
        redundant=redundant,
        trained=unmerged.weights_of(unmerged.attached.placement.changed),
        files=files,
        stored=request.dtype or _stored_as(files),
        origin=Origin(
            name=request.adapter.name,
            folder=request.adapter,
            base=name,
            revision=loaded.revision,
            architecture=loaded.backbone.model_class.__name__,
            terms=terms_of(name, files),
            warnings=(*loaded.notes, *obstacles, *notes),
            trained_on=provenance_of(loaded).sets,
            attribution=() if card is None else card.attribution,
        ),
        servable=not obstacles,
    )


def redundant_names(model: Any, shapes: Shapes) -> frozenset[str]:
    """Weight names in a checkpoint's files that an export does not need to repeat.

    Some are copies of tied weights, such as a head tied to the embeddings; some belong to parts that the model's class
    does not have.
    """
    model_type = model.config.model_type
    tied = {hub_name(model_type, name) for name in model.all_tied_weights_keys} - set(_own_head(model))
    ignored = [re.compile(pattern) for pattern in model._keys_to_ignore_on_load_unexpected or ()]
    return frozenset(name for name in shapes if name in tied or any(p.search(name) for p in ignored))


def _own_head(model: Any) -> Shapes:
    """The head's hub name and shape where its weights are not the embeddings'; empty where they are."""
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    if head.weight is embeddings.weight:
        return {}
    return {hub_name(model.config.model_type, "lm_head.weight"): tuple(head.weight.shape)}


def _without(shapes: Shapes, names: frozenset[str]) -> Shapes:
    return {name: shape for name, shape in shapes.items() if name not in names}


def _write_adapter(partial: Path, folder: Path, attached: Attached) -> None:
    """Write an adapter's weights and configuration: unchanged, or under today's names where they have others."""
    if not attached.placement.renamed:
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            shutil.copyfile(folder / name, partial / name)
        return
    attached.config.save_pretrained(partial)
    tensors = get_peft_model_state_dict(attached.tuned, save_embedding_layers=False)
    save_file({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, partial / WEIGHTS_FILE, {"format": "pt"})


def _write_other_files(partial: Path, request: ExportRequest, loaded: LoadedModel) -> None:
    """Settings, recipe and training record, and the base's licence and vocabulary, which no library writes."""
    loaded.settings.save(partial)
    _copy(request.adapter, partial, *COPIED)
    for file in _base_files(loaded):
        shutil.copyfile(file, partial / file.name)


def _copy(folder: Path, partial: Path, *names: str) -> None:
    """Copy those of some files that a folder has."""
    for name in names:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, partial / name)


def _base_files(loaded: LoadedModel) -> list[Path]:
    """A base's licence, and its `tokenizer.model`, from which llama.cpp reads Gemma's vocabulary."""
    if loaded.folder is not None:
        return [*sorted(loaded.folder.glob("LICENSE*")), *loaded.folder.glob("tokenizer.model")]
    # Loading a hub model does not fetch these; they come from the cache if the hub is not reachable.
    quiet = dict.fromkeys(("_raise_exceptions_for_missing_entries", "_raise_exceptions_for_connection_errors"), False)
    found = [cached_file(loaded.source, name, revision=loaded.revision, **quiet) for name in _HUB_FILES]
    return [Path(file) for file in found if file is not None]


def _folder_of(loaded: LoadedModel) -> Path:
    """The folder of a base's files; for a hub model in the hub's cache."""
    if loaded.folder is not None:
        return loaded.folder
    found = cached_file(loaded.source, "config.json", revision=loaded.revision, local_files_only=True)
    return Path(str(found)).parent


def _stored_as(folder: Path) -> torch.dtype:
    """The dtype of most tensors of a checkpoint."""
    counted: Counter[str] = Counter()
    for file in weight_files(folder):
        with safe_open(file, "pt") as stored:
            counted.update(stored.get_slice(name).get_dtype() for name in stored.keys())  # noqa: SIM118
    common = counted.most_common(1)
    if not common or common[0][0] not in _STORED:
        raise ModelError(
            f"model {folder.name}: its weights are stored as {common[0][0] if common else 'nothing'}, expected one of "
            f"{', '.join(_STORED)} in safetensors; set the export's with --dtype"
        )
    return _STORED[common[0][0]]


def _base_path_note(adapter: Path) -> tuple[str, ...]:
    """A warning if the base is named by a folder, which other users do not have."""
    config: Any = read_config(adapter)
    if not Path(config.base_model_name_or_path).is_dir():
        return ()
    return (f"{CONFIG_FILE} names the base by a local folder: replace it by the hub name before you share the adapter",)


@contextmanager
def _atomic_folder(request: ExportRequest) -> Iterator[Path]:
    """A temporary folder that is renamed to the requested one at the end, and removed after a failure."""
    if (why := why_no_adapter(request.adapter)) is not None:
        raise ModelError(why)
    if (taken := why_taken(request.out)) is not None:
        raise ModelError(taken)
    out = request.out.resolve()  # `.` has no name
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in partial.iterdir():
            honour_umask(file)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _exported(request: ExportRequest, kind: ExportKind, before: Original, comparison: ExportComparison) -> Exported:
    known, origin = read_known_answers(request.out), before.origin
    merged = kind is ExportKind.MERGED
    command = (
        serve_command(request.out, known)
        if merged
        else serve_adapter_command(request.out, known, origin.base, origin.warnings)
    )
    return Exported(
        folder=request.out,
        kind=kind,
        base=before.origin.base,
        stored=comparison.stored,
        files=tuple(sorted(file.name for file in request.out.iterdir())),
        comparison=comparison,
        name=known.name,
        serve=command if before.servable else None,
        warnings=origin.warnings,
    )
