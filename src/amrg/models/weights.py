"""A checkpoint must be complete to be loaded: transformers would fill a missing weight at random, without an error."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from amrg.models.checkpoint import INDEX, weight_files
from amrg.models.errors import ModelError

_NAMED = 3


def broken_weights(folder: Path) -> str | None:
    """What is wrong with the files of a folder's weights, whose headers alone are read; None where all are there."""
    try:
        files = weight_files(folder)
    except (ValueError, KeyError) as error:
        return f"{INDEX} is not an index ({error})"
    if not files:
        return "no safetensors in this folder"
    return next((problem for file in files if (problem := _broken(file)) is not None), None)


def _broken(path: Path) -> str | None:
    """What is wrong with a file of weights; its header says how long it must be."""
    try:
        with safe_open(path, "pt"):
            return None
    except (OSError, SafetensorError) as error:
        return f"{path.name} cannot be read or is cut short ({error})"


def load_complete(model_class: Any, source: str, label: str, options: Mapping[str, Any]) -> Any:
    """A model of a transformers class from its files; `options` are those of `from_pretrained`.

    Raises:
        ModelError: the files do not hold all of its weights.
    """
    table = logging.getLogger("transformers.modeling_utils")
    # It would list what is missing in a table before the error. Not silenced by its level: transformers reads that, and
    # where one is set warns of what several devices would not share.
    was, table.disabled = table.disabled, True
    try:
        model, info = model_class.from_pretrained(
            source, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    finally:
        table.disabled = was
    refuse_incomplete(info, label)
    return model


def refuse_incomplete(info: Mapping[str, Any], label: str) -> None:
    """Refuse a checkpoint whose files do not hold every weight of its class in its shape.

    `info` is what `from_pretrained` returns with `output_loading_info` and `ignore_mismatched_sizes`: `missing_keys`
    (names; a head tied to the embeddings is not among them), `mismatched_keys` (name, shape in the file, shape
    expected), `unexpected_keys`. A vision tower whose names changed between releases was once left random in this way.

    Raises:
        ModelError: weights are missing or have other shapes; names the first of them.
    """
    missing: Collection[str] = info["missing_keys"]
    if missing:
        unknown: Collection[str] = info["unexpected_keys"]
        others = f"; {len(unknown)} in its files are unknown ({_first(unknown)})" if unknown else ""
        raise ModelError(
            f"model {label!r} lacks {len(missing)} weights of its class ({_first(missing)}){others}: they would be "
            f"random; expected all of them under the names of the published checkpoints; download or export "
            f"it again, or train it again where an earlier amrg wrote it"
        )
    mismatched = {name: f"{tuple(found)} for {tuple(expected)}" for name, found, expected in info["mismatched_keys"]}
    if mismatched:
        name = min(mismatched)
        raise ModelError(
            f"model {label!r} holds {len(mismatched)} weights of another shape than its config.json requires "
            f"({name}: {mismatched[name]}); expected files of one checkpoint; download or export it again"
        )


def _first(names: Collection[str]) -> str:
    """The first names, in order, and dots where there are more."""
    return ", ".join(sorted(names)[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
