"""All that the trials of one base share: the frozen base, the samples of a split, and what is seen of their pictures.

Everything slow is done once and kept below a cache folder, a folder for each thing that it was computed from:

    pictures-…      what a model is shown of every case; depends on the data set and the encoding alone
    prompts-…       what it is asked; depends on the base, its processor and the settings
    features-…      what the tower makes of the pictures; on the prompts' base, its numbers and the kind of device
    image-tokens-…  what the projector makes of those

Killed and started again it goes on where it was; a second call computes nothing. A picture of 896 pixels takes 0.8 MB
in grey; with MedGemma in bfloat16 its features take 9.4 MB, its image tokens 1.3 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from amrg.core.progress import Progress
from amrg.core.values import Value
from amrg.datasets import Dataset, Split, open_dataset
from amrg.datasets.tables.labels import NO_FINDINGS
from amrg.models.backbones.base import Prompt, Tensors
from amrg.models.load import LoadedModel
from amrg.training.data.base_model import base_of, pictures_of, prompts_of, seen_of
from amrg.training.data.examples import LEARNED, WATCHED, Example, ExampleReader, LeftOut, examples_of, from_tensors
from amrg.training.data.feature_cache import FeatureCache, Parts, encode_images, stored_parts
from amrg.training.data.samples import Sample, Stage, stage_of
from amrg.training.data.tensor_store import TensorStore
from amrg.training.errors import TuningError, to_see_with_less, translate_failures
from amrg.training.recipe import Recipe

NAMED = 10
"""How many cases an error names."""


@dataclass(frozen=True)
class Source:
    """A data set folder of `amrg data import`, and one of its splits."""

    data: Path
    split: str


class DataUsed(Value):
    """What was learned from and watched, by hash."""

    name: str
    split: str
    dataset_hash: str
    split_hash: str
    n_train: int
    n_validation: int


@dataclass(frozen=True)
class Prepared:
    """A bare base, frozen and in evaluation mode, and what it is to be tuned on.

    `shown` is at the stage up to which the recipe's modules leave a picture alone. `left_out` names every case of both
    parts that nothing is learned from, with the reason.
    """

    loaded: LoadedModel
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    shown: FeatureCache
    data: DataUsed
    left_out: tuple[LeftOut, ...] = ()


def prepare(recipe: Recipe, source: Source, cache: Path, progress: Progress) -> Prepared:
    """Read a split's train and validation parts, and see their pictures as far as nothing on the way is trained.

    The test part is not opened. Several processes may prepare the same at once: one works, the others wait.

    Raises:
        DatasetError: no such data set or split.
        ModelError: the base cannot be loaded.
        TuningError: a part without a case, cases with too many image tokens, a cache that is not whole, a full disk,
            too little memory.
        OSError: the cache folder cannot be made.
    """
    with translate_failures(cache, to_see_with_less(recipe)):
        return _prepared(recipe, source, cache, progress)


def _prepared(recipe: Recipe, source: Source, cache: Path, progress: Progress) -> Prepared:
    dataset = open_dataset(source.data)
    split = dataset.split(source.split)
    given = {part: examples_of(dataset, split.keys(part), recipe) for part in (LEARNED, WATCHED)}
    told = [lesson for part, _ in given.values() for lesson in part]
    left_out = [case for _, empty in given.values() for case in empty]
    loaded = base_of(recipe)
    work = _Work(
        loaded, dataset, told, cache, stage_of(loaded.backbone.trainable_modules(loaded.model, recipe.lora.modules))
    )
    prompts, unread = work.build_prompts(progress)
    left_out += unread
    _refuse_long(loaded, prompts, recipe.max_image_tokens)
    train, validation = (_samples(loaded, prompts, given[part][0]) for part in given)
    for part, samples in ((LEARNED, train), (WATCHED, validation)):
        if not samples:
            raise TuningError(_nothing(source, part, left_out))
    shown = work.see(tuple(prompts), progress)
    used = _used(dataset, split, len(train), len(validation))
    return Prepared(loaded, train, validation, shown, used, tuple(left_out))


class _Work:
    """The stores of one base and one data set, and how they are filled."""

    def __init__(
        self, loaded: LoadedModel, dataset: Dataset, told: Sequence[Example], cache: Path, stage: Stage
    ) -> None:
        self.loaded, self.stage = loaded, stage
        cases = {lesson.key: lesson.case for lesson in told}
        self._reader = ExampleReader(cases, dataset.root, loaded.settings.encoding)
        of = dataset.info.hash
        self._pictures = TensorStore.under(cache, "pictures", pictures_of(loaded, of))
        self._prompts = TensorStore.under(cache, "prompts", prompts_of(loaded, of))
        self._seen = self._pictures
        if stage is not Stage.PIXELS:
            self._seen = TensorStore.under(cache, stage.value.replace(" ", "-"), seen_of(loaded, of, stage))

    def build_prompts(self, progress: Progress) -> tuple[dict[str, Tensors], list[LeftOut]]:
        """Fill the pictures and the prompts; returns those, and the cases whose pictures cannot be read."""
        keys = [key for key in self._reader.cases if key not in self._prompts or key not in self._seen]
        self._pictures.fill(keys, self._reader.read, partial(progress, "framing pictures"))
        there = [key for key in keys if key in self._pictures]
        self._prompts.fill(there, partial(map, self._columns), partial(progress, "asking"))
        prompts = {key: self._prompts.read(key) for key in self._reader.cases if key in self._prompts}
        return prompts, list(self._reader.unread.items())

    def see(self, keys: Sequence[str], progress: Progress) -> FeatureCache:
        """Fill the features or image tokens; returns where training reads from."""
        if self.stage is Stage.PIXELS:
            return FeatureCache(self.stage, self._pixels)
        self._seen.fill(keys, partial(map, self._encoded), partial(progress, f"computing {self.stage.value}"))
        return FeatureCache(self.stage, partial(stored_parts, self._seen))

    def _asked(self, key: str) -> Prompt:
        """A case as the model is asked about it."""
        views, pictures = from_tensors(self._pictures.read(key))
        return self.loaded.backbone.build_prompt(self.loaded.processor, self.loaded.settings, views, pictures)

    def _columns(self, key: str) -> Tensors:
        return self._asked(key).tokens

    def _encoded(self, key: str) -> Tensors:
        return encode_images(self.loaded, self._asked(key), self.stage)

    def _pixels(self, key: str) -> Parts:
        return (self._asked(key).pixels,)


def _samples(loaded: LoadedModel, prompts: Mapping[str, Tensors], told: Sequence[Example]) -> tuple[Sample, ...]:
    """The samples of a part, but for cases that were left out."""
    return tuple(
        Sample(
            key=lesson.key,
            prompt=prompts[lesson.key],
            answer=tuple(loaded.backbone.answer(loaded.processor, lesson.text)),
            text=lesson.text,
            reference=lesson.reference,
            group=lesson.case.group,
            findings_known=NO_FINDINGS not in lesson.case.notes,
        )
        for lesson in told
        if lesson.key in prompts
    )


def _refuse_long(loaded: LoadedModel, prompts: Mapping[str, Tensors], most: int | None) -> None:
    """Refuse prompts with more image tokens than a recipe allows, all at once and before anything is computed."""
    if most is None:
        return
    count = partial(loaded.backbone.placeholders, loaded.model.config)
    if long := [(key, n) for key, prompt in prompts.items() if (n := count(prompt)) > most]:
        raise TuningError(
            f"{len(long)} cases have more image tokens than max_image_tokens={most}: "
            f"{', '.join(f'{key} ({n})' for key, n in long[:NAMED])}{' and others' if len(long) > NAMED else ''}; "
            "raise it, show smaller pictures (settings.encoding.size), or take them out of the split"
        )


def _nothing(source: Source, part: str, left_out: Sequence[LeftOut]) -> str:
    """The sentence of a part in which no case is left."""
    why = f"; {len(left_out)} cases were left out, such as {': '.join(left_out[0])}" if left_out else ""
    return f"{source.data}: split {source.split} has no case to use in its part {part}{why}; use another split"


def _used(dataset: Dataset, split: Split, n_train: int, n_validation: int) -> DataUsed:
    return DataUsed(
        name=dataset.info.name,
        split=split.name,
        dataset_hash=dataset.info.hash,
        split_hash=split.hash,
        n_train=n_train,
        n_validation=n_validation,
    )
