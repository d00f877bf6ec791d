"""The base that is tuned: loaded in the numbers of a recipe, frozen, asked as the recipe says; and what names it."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from amrg import __version__
from amrg.core.hashing import sha256_of_chunks
from amrg.core.values import Value
from amrg.models import ModelSettings, ViewEncoding
from amrg.models.load import LoadedModel, load_base
from amrg.models.threads import set_threads
from amrg.training.data.samples import Stage
from amrg.training.errors import TuningError
from amrg.training.recipe import Precision, Quantization, Recipe

DTYPES = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16}
SOFTWARE = f"amrg {__version__}, transformers {version('transformers')}, torch {version('torch')}"
_ASKING = {".json", ".jinja", ".model", ".txt"}  # what a checkpoint's folder holds of its processor and template


class BaseFingerprint(Value):
    """A base by what its weights and its processor are: SHA-256 of files, or a hub commit for both."""

    weights: str
    asking: str


class PicturesOf(Value):
    """What stored pictures were made from. No model is in it: all bases of one encoding share them."""

    what: str = "pictures as a model is shown them"
    software: str = f"amrg {__version__}"
    dataset: str
    encoding: ViewEncoding


class PromptsOf(Value):
    """What stored prompts were made from. How long an answer may be is no part of it."""

    what: str = "prompts"
    software: str = SOFTWARE
    dataset: str
    base: BaseFingerprint
    settings: str


class SeenOf(Value):
    """What stored features or image tokens were made from; the words of the prompt are no part of it.

    No rank, scaling, seed or rate is in it: all trials of one base share them.
    """

    what: Stage
    software: str = SOFTWARE
    dataset: str
    base: BaseFingerprint
    pictures: str
    dtype: str
    device: str
    quantised: bool


def base_of(recipe: Recipe) -> LoadedModel:
    """The recipe's base without any adapter, frozen, in the recipe's precision, asked by the recipe's settings.

    Raises:
        ModelError: the base cannot be loaded.
        TuningError: 4-bit quantization is requested but not available.
    """
    quantization = _nf4() if recipe.quantization is Quantization.NF4 else None
    loaded = load_base(recipe.base, recipe.revision, quantization, DTYPES[recipe.precision])
    loaded.model.requires_grad_(False)
    set_threads(loaded.model)
    return loaded if recipe.settings is None else asked_as(loaded, recipe.settings)


def asked_as(loaded: LoadedModel, settings: ModelSettings) -> LoadedModel:
    """The same model, asked otherwise."""
    processor = loaded.backbone.load_processor(loaded.source, loaded.revision, settings)
    return replace(loaded, processor=processor, settings=settings)


def stored_as(loaded: LoadedModel) -> BaseFingerprint:
    """What a base is known by.

    Raises:
        TuningError: a hub model whose commit is not known.
    """
    weights = loaded.weights_hash or loaded.revision
    if weights is None:
        raise TuningError(f"model {loaded.name!r}: its hub commit is not known; name one as the recipe's revision")
    return BaseFingerprint(weights=weights, asking=weights if loaded.folder is None else _files_hash(loaded.folder))


def pictures_of(loaded: LoadedModel, dataset: str) -> PicturesOf:
    """What the pictures of a data set, given by its hash, follow from."""
    return PicturesOf(dataset=dataset, encoding=loaded.settings.encoding)


def prompts_of(loaded: LoadedModel, dataset: str) -> PromptsOf:
    """What the prompts of a data set follow from."""
    settings = loaded.settings.model_dump_json(exclude={"max_new_tokens"})
    return PromptsOf(dataset=dataset, base=stored_as(loaded), settings=settings)


def seen_of(loaded: LoadedModel, dataset: str, stage: Stage) -> SeenOf:
    """What the features or image tokens of a data set follow from."""
    model = loaded.model
    return SeenOf(
        what=stage,
        dataset=dataset,
        base=stored_as(loaded),
        pictures=loaded.settings.model_dump_json(exclude={"max_new_tokens", "instruction"}),
        dtype=str(model.dtype),
        device=model.device.type,
        quantised=getattr(model, "hf_quantizer", None) is not None,
    )


def _files_hash(folder: Path) -> str:
    """SHA-256 over the files of a checkpoint's folder that decide its prompts and pixels."""
    files = [f for f in sorted(folder.iterdir()) if f.suffix in _ASKING and not f.name.endswith(".index.json")]
    return sha256_of_chunks(file.name.encode() + b"\n" + file.read_bytes() for file in files)


def _nf4() -> Any:
    """QLoRA's 4 bits: nf4 with double quantisation, computed in bfloat16 (Dettmers 2023)."""
    if not torch.cuda.is_available() or find_spec("bitsandbytes") is None:
        raise TuningError(
            "quantization=nf4 needs CUDA and bitsandbytes, and at least one is not available: "
            "install amrg[quantised] on a machine with a GPU, or set quantization=none"
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
