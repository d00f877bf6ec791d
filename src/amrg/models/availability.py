"""Whether a model can be loaded, checked without loading its weights."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig

from amrg.models.catalog import pinned_revision
from amrg.models.checkpoint import EMBEDDED, NAME
from amrg.models.hub import commit_of, hub_trouble
from amrg.models.weights import broken_weights


def why_unavailable(source: str) -> str | None:
    """Why a model is not available; None where it is: a folder's files, or on the hub its configuration.

    Args:
        source: Folder, hub name, or the embedded model's name.
    """
    folder = EMBEDDED if source == NAME else Path(source)
    if not folder.is_dir() and source.count("/") != 1:
        return f"{source}: no such folder"
    local, revision = folder.is_dir(), pinned_revision(source)
    if local and (problem := broken_weights(folder)) is not None:
        return f"{source}: {problem}"
    try:
        if not local:
            commit_of(source, revision)
        AutoConfig.from_pretrained(
            str(folder) if local else source, revision=None if local else revision, trust_remote_code=False
        )
    except (OSError, KeyError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        return (None if local else hub_trouble(error, source, revision)) or f"{source}: {first}"
    return None
