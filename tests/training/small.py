"""What `tune` is given, made up in memory: a tiny base, and cases of random pictures with reports of three kinds."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from amrg.birads import Laterality, View, parse
from amrg.models.backbones.base import Prompt
from amrg.models.load import LoadedModel, load_base
from amrg.training.data.feature_cache import FeatureCache, Parts, encode_images
from amrg.training.data.prepared import DataUsed, PreparedData
from amrg.training.data.samples import Sample, Stage, stage_of
from amrg.training.recipe import Lora, Recipe, Validation
from tests.models.tiny import TINY

VIEWS = ((Laterality.RIGHT, View.CC), (Laterality.LEFT, View.CC))
TEXTS = (
    "Breast composition: a.\nRight breast: BI-RADS 1.\nFindings: none.",
    "Breast composition: b.\nRight breast: BI-RADS 2.",
    "Breast composition: c.\nRight breast: BI-RADS 4.\nFindings: mass in the right breast.",
)

RECIPE = Recipe(
    base="tiny",
    lora=Lora(rank=4, alpha=8, dropout=0.1),
    steps=6,
    batch_size=4,
    micro_batch_size=4,
    learning_rate=1e-2,
    validation=Validation(every=3, cases=2, patience=9),
)


@lru_cache
def base(folder: Path, family: str = "gemma3") -> LoadedModel:
    """A tiny base, written once a folder: by whoever comes first, and not again by processes that share it."""
    path = folder / family
    if not (path / "amrg.json").is_file():
        TINY[family](path)
    loaded = load_base(str(path))
    loaded.model.requires_grad_(False)
    return loaded


def fabricated(loaded: LoadedModel, recipe: Recipe = RECIPE, count: int = 8) -> PreparedData:
    """`count` cases to learn and two to watch, seen as far as the recipe's modules leave them alone."""
    stage = stage_of(loaded.backbone.trainable_modules(loaded.model, recipe.lora.modules))
    requested = {
        key: loaded.backbone.build_prompt(
            loaded.processor, loaded.settings, VIEWS, [picture(f"{key} {v}") for v in VIEWS]
        )
        for key in [f"case-{i}" for i in range(count + 2)]
    }
    samples = tuple(
        Sample(key, dict(a.tokens), tuple(loaded.backbone.answer(loaded.processor, text)), text, parse(text).report)
        for (key, a), text in zip(requested.items(), TEXTS * count, strict=False)
    )

    shown = {key: _shown(loaded, a, stage) for key, a in requested.items()}
    data = DataUsed(name="made-up", split="some", dataset_hash="0", split_hash="0", n_train=count, n_validation=2)
    return PreparedData(loaded, samples[:count], samples[count:], FeatureCache(stage, shown.__getitem__), data)


def _shown(loaded: LoadedModel, requested: Prompt, stage: Stage) -> Parts:
    if stage is Stage.PIXELS:
        return (requested.pixels,)
    flat = encode_images(loaded, requested, stage)
    numbers = range(len(VIEWS))
    return tuple({n.split(".", 1)[1]: t for n, t in flat.items() if n.startswith(f"{i}.")} for i in numbers)


def picture(seed: str) -> np.ndarray:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4])
    return np.random.default_rng(number).integers(0, 255, (56, 56, 3), dtype=np.uint8)
