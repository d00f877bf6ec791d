"""`amrg export`: an adapter, merged into its base or by itself, for the hub, vLLM and llama.cpp."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.console import (
    ResultTable,
    busy,
    complain,
    fail,
    out,
    print_json,
    quieten,
    refuse_unwritable,
    writing,
)
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson
from amrg.core.files import why_taken
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.models.export.exporting import Exported
    from amrg.models.export.gguf import Converted


class ExportDtype(StrEnum):
    """Dtype of exported weights."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class ServingEngine(StrEnum):
    """A serving engine."""

    VLLM = "vllm"


def export(
    adapter: Annotated[Path, typer.Argument(help="Folder of an adapter, as `amrg train` writes it.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder of the export; must be empty or new.")],
    merge: Annotated[
        bool | None, typer.Option("--merge/--adapter", help="Export a full merged model, or only the adapter.")
    ] = None,
    dtype: Annotated[ExportDtype | None, typer.Option(help="Dtype of merged weights (default: the base's).")] = None,
    engine: Annotated[ServingEngine | None, typer.Option("--for", help="Refuse what this engine cannot serve.")] = None,
    gguf: Annotated[
        Path | None, typer.Option(help="Checkout of llama.cpp; its script also converts the merged model.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export a tuned model; refuse if the export does not answer like the trained one."""
    if merge is None:
        fail(Exit.USAGE, "--merge (a full model) or --adapter (only the adapter) is required")
    if not merge and (dtype or gguf):
        fail(Exit.USAGE, "--dtype and --gguf require --merge: an adapter is exported unchanged")
    refuse_unwritable(folder)
    if (taken := why_taken(folder)) is not None:
        fail(Exit.USAGE, taken)
    if not adapter.is_dir():
        fail(Exit.NO_MODEL, f"{adapter}: no such folder; expected one of `amrg train`, with adapter_config.json")
    with writing(folder), busy("exporting, and comparing base, adapter and export"):
        quieten()
        import torch
        from safetensors import SafetensorError

        from amrg.models import ModelError
        from amrg.models.export.exporting import ExportRequest, export_adapter, export_merged
        from amrg.models.export.gguf import refuse_no_converter, to_gguf

        request = ExportRequest(
            adapter, folder, getattr(torch, dtype) if dtype else None, for_vllm=engine is ServingEngine.VLLM
        )
        try:
            if gguf is not None:
                refuse_no_converter(gguf)
            done = export_merged(request) if merge else export_adapter(request)
        except ModelError as error:
            fail(Exit.NO_MODEL, str(error))
        except SafetensorError as error:
            fail(Exit.UNWRITABLE, f"{folder}: cannot be written ({error}); free some space, or use another folder")
        except (torch.OutOfMemoryError, MemoryError):
            fail(
                Exit.NO_MODEL,
                f"{adapter}: memory ran out; the base is loaded in float32 for the comparison: use a machine with more "
                "memory, or the CPU with CUDA_VISIBLE_DEVICES=",
            )
        try:
            converted = to_gguf(folder, gguf) if gguf is not None else ()
        except ModelError as error:
            fail(Exit.NO_MODEL, f"{error}; the merged model in {folder} is complete; only its GGUF files are missing")
    for warning in done.warnings:
        complain(warning)
    if as_json:
        print_json(done.model_dump(mode="json") | {"gguf": [c.model_dump() for c in converted]})
    else:
        _show(done, converted)


def _show(done: Exported, converted: tuple[Converted, ...]) -> None:
    """The comparison of base, adapter and export, and the export's folder."""
    found = done.comparison
    table = ResultTable("logits of", "largest difference", "relative", "same text")
    for name in ("adapter_from_base", "export_from_base", "export_from_adapter"):
        difference = getattr(found, name)
        same = "yes" if difference.same_text else "no"
        table.add_row(name.replace("_", " "), f"{difference.largest:.2e}", f"{difference.relative:.2e}", same)
    out.print(table)
    counts = ", ".join(f"{part.part} {part.changed} of {part.trained}" for part in found.parts)
    out.print(f"weights changed of those trained: {counts}")
    for part in converted:
        out.print(f"{part.file}: {counted(part.tensors, 'tensor')}")
    if done.serve is not None:
        out.print(f"serve it with vLLM: {done.serve}", markup=False, soft_wrap=True)
    out.print(f"{done.kind} export of {done.base}, stored as {done.stored}, in {done.folder}", markup=False)
