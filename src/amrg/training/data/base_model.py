"""The base model of a recipe: loaded in its precision, frozen, with its settings; and the fingerprints of caches."""

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
_PROCESSOR_FILES = {".json", ".jinja", ".model", ".txt"}  # suffixes: processor, tokenizer, chat template


_OF_THE_ANSWER = {"max_new_tokens", "instruction", "list_instruction", "answer"}


class BaseFingerprint(Value):
    """A base by its weights and its processor: SHA-256 of files, or a hub commit for both."""

    weights: str
    processor: str


class ImagesFingerprint(Value):
    """What stored images depend on. No model is included: all bases with one encoding share them."""

    what: str = "input images"
    software: str = f"amrg {__version__}"
    dataset: str
    encoding: ViewEncoding


class PromptsFingerprint(Value):
    """What stored prompts depend on; `max_new_tokens` is not included."""

    what: str = "prompts"
    software: str = SOFTWARE
    dataset: str
    base: BaseFingerprint
    settings: str


class FeaturesFingerprint(Value):
    """What stored features or image tokens depend on; the text of the prompt is not included.

    Rank, scaling, seed and learning rate are not included either: all trials of one base share them.
    """

    what: Stage
    software: str = SOFTWARE
    dataset: str
    base: BaseFingerprint
    images: str
    dtype: str
    device: str
    quantized: bool


def load_recipe_base(recipe: Recipe) -> LoadedModel:
    """The recipe's base without adapters, frozen, with the recipe's precision, settings and form of answer.

    Raises:
        ModelError: the base cannot be loaded.
        TuningError: 4-bit quantization is requested but not available.
    """
    quantization = _nf4() if recipe.quantization is Quantization.NF4 else None
    loaded = load_base(recipe.base, recipe.revision, quantization, DTYPES[recipe.precision])
    loaded.model.requires_grad_(False)
    set_threads(loaded.model)
    settings = recipe.settings or loaded.settings
    if recipe.answer is not None:
        settings = settings.model_copy(update={"answer": recipe.answer})
    return loaded if settings == loaded.settings else with_settings(loaded, settings)


def with_settings(loaded: LoadedModel, settings: ModelSettings) -> LoadedModel:
    """The same model with other settings."""
    processor = loaded.backbone.load_processor(loaded.source, loaded.revision, settings)
    return replace(loaded, processor=processor, settings=settings)


def base_fingerprint(loaded: LoadedModel) -> BaseFingerprint:
    """The fingerprint of a base.

    Raises:
        TuningError: a hub model whose commit is not known.
    """
    weights = loaded.weights_id
    if weights is None:
        raise TuningError(f"model {loaded.name!r}: its hub commit is unknown; set the recipe's revision")
    return BaseFingerprint(weights=weights, processor=weights if loaded.folder is None else _files_hash(loaded.folder))


def images_fingerprint(loaded: LoadedModel, dataset: str) -> ImagesFingerprint:
    """The fingerprint of the images of a data set, given by its hash."""
    return ImagesFingerprint(dataset=dataset, encoding=loaded.settings.encoding)


def prompts_fingerprint(loaded: LoadedModel, dataset: str) -> PromptsFingerprint:
    """The fingerprint of the prompts of a data set."""
    settings = loaded.settings.model_dump_json(exclude={"max_new_tokens"})
    return PromptsFingerprint(dataset=dataset, base=base_fingerprint(loaded), settings=settings)


def features_fingerprint(loaded: LoadedModel, dataset: str, stage: Stage) -> FeaturesFingerprint:
    """The fingerprint of the features or image tokens of a data set."""
    model = loaded.model
    return FeaturesFingerprint(
        what=stage,
        dataset=dataset,
        base=base_fingerprint(loaded),
        images=loaded.settings.model_dump_json(exclude=_OF_THE_ANSWER),
        dtype=str(model.dtype),
        device=model.device.type,
        quantized=getattr(model, "hf_quantizer", None) is not None,
    )


def _files_hash(folder: Path) -> str:
    """SHA-256 over the files of a checkpoint's folder that determine its prompts and pixels."""
    files = [f for f in sorted(folder.iterdir()) if f.suffix in _PROCESSOR_FILES and not f.name.endswith(".index.json")]
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
