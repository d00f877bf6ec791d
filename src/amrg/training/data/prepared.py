"""All that the trials of one base share: the frozen base, the samples of a split, and the cached image features.

Everything slow is computed once and stored below a cache folder, one folder for each set of inputs:

    images-…        the model's input images of every case; depends on the data set and the image encoding only
    prompts-…       token ids of the prompts; depends on the base, its processor and the settings
    features-…      the tower's output for the images; on the base, its dtype and the kind of device
    image-tokens-…  the projector's output for those

An interrupted call resumes; a second call computes nothing. An image of 896 pixels takes 0.8 MB in grey; with MedGemma
in bfloat16 its features take 9.4 MB, its image tokens 1.3 MB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from amrg.birads import AnswerForm
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_text
from amrg.core.progress import Progress
from amrg.core.values import Value
from amrg.datasets import Dataset, Split, open_dataset
from amrg.datasets.training_set import TrainingSet, training_set_of
from amrg.models.backbones.base import Tensors
from amrg.models.load import LoadedModel
from amrg.training.data.base_model import load_recipe_base
from amrg.training.data.case_stores import CaseStores
from amrg.training.data.examples import TRAIN, VALIDATION, Example, SkippedCase, build_examples
from amrg.training.data.feature_cache import FeatureCache
from amrg.training.data.samples import Sample, stage_of
from amrg.training.errors import TuningError, encoding_memory_advice, translate_failures
from amrg.training.recipe import Recipe

MAX_NAMED = 10
"""How many cases an error names."""


@dataclass(frozen=True)
class DataSource:
    """A data set folder of `amrg data import`, and one of its splits."""

    data: Path
    split: str


class DataUsed(Value):
    """The data set and split of a run by hash, and how many cases it used."""

    name: str
    split: str
    dataset_hash: str
    split_hash: str
    n_train: int
    n_validation: int


@dataclass(frozen=True)
class PreparedData:
    """A bare base, frozen and in evaluation mode, and the samples to train and validate on.

    `features` are at the last stage that the recipe's modules do not change. `skipped` names every unused case of both
    parts, with the reason. `trained_on` is the record that is kept with the weights.
    """

    loaded: LoadedModel
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    features: FeatureCache
    data: DataUsed
    skipped: tuple[SkippedCase, ...] = ()
    trained_on: TrainingSet | None = None

    @property
    def references(self) -> dict[str, int]:
        """How many samples of both parts have a reference of each source."""
        counts = Counter(sample.source.value for sample in (*self.train, *self.validation))
        return dict(counts.most_common())

    @property
    def without_list(self) -> int:
        """How many samples have no findings list in their target text, where the answer is findings first."""
        if self.loaded.settings.answer is AnswerForm.NARRATIVE:
            return 0
        return sum(not sample.listed for sample in (*self.train, *self.validation))

    @property
    def weights_id(self) -> str | None:
        """What pins the base's weights: their hash, or a hub model's commit."""
        return self.loaded.weights_id


Elsewhere = Callable[[Sequence[str], Sequence[str]], None]
"""Computes what is not stored of cases, by their keys, on other machines, for stores of these names."""


def prepare(
    recipe: Recipe, source: DataSource, cache: Path, progress: Progress, elsewhere: Elsewhere | None = None
) -> PreparedData:
    """Read a split's train and validation parts, and encode their images as far as no trained module is involved.

    The test part is not opened. Several processes may call this for the same cache: one works, the others wait.
    What `elsewhere` leaves undone is computed here.

    Raises:
        DatasetError: no such data set or split.
        ModelError: the base cannot be loaded.
        TuningError: a part without a case, cases with too many image tokens, a damaged cache, a full disk, too little
            memory.
        OSError: the cache folder cannot be made.
    """
    remains = "what is computed so far remains: free some space, or name another cache, then run the same command again"
    with translate_failures(cache, encoding_memory_advice(recipe), lambda: remains):
        return _prepare(recipe, source, cache, progress, elsewhere)


def open_stores(recipe: Recipe, source: DataSource, cache: Path) -> CaseStores:
    """Where what is computed of a split's cases is stored, and what computes it; errors as those of `prepare`."""
    dataset = open_dataset(source.data)
    return _open(recipe, dataset, dataset.ready_split(source.split, ()), cache)[2]


_Parts = dict[str, tuple[list[Example], list[SkippedCase]]]


def _open(recipe: Recipe, dataset: Dataset, split: Split, cache: Path) -> tuple[LoadedModel, _Parts, CaseStores]:
    """The base, the examples of both parts, and the stores of all these."""
    loaded = load_recipe_base(recipe)
    answer = loaded.settings.answer
    parts = {part: build_examples(dataset, split.keys(part), recipe, answer) for part in (TRAIN, VALIDATION)}
    examples = [example for found, _ in parts.values() for example in found]
    stage = stage_of(loaded.backbone.trainable_modules(loaded.model, recipe.lora.modules))
    return loaded, parts, CaseStores(loaded, dataset, examples, cache, stage)


def _prepare(
    recipe: Recipe, source: DataSource, cache: Path, progress: Progress, elsewhere: Elsewhere | None
) -> PreparedData:
    dataset = open_dataset(source.data)
    split = dataset.split(source.split)
    loaded, parts, stores = _open(recipe, dataset, split, cache)
    skipped = [case for _, empty in parts.values() for case in empty]
    if elsewhere is not None and (missing := stores.missing()):
        elsewhere(missing, stores.names)
    prompts, unusable = stores.fill_prompts(progress)
    skipped += unusable
    _refuse_long(loaded, prompts, recipe.max_image_tokens)
    train, validation = (_samples(loaded, prompts, parts[part][0]) for part in parts)
    for part, samples in ((TRAIN, train), (VALIDATION, validation)):
        if not samples:
            raise TuningError(_empty_part(source, part, skipped))
    features = stores.fill_features(tuple(prompts), progress)
    used = _data_used(dataset, split, len(train), len(validation))
    trained_on = _training_set(dataset, split, [sample.key for sample in (*train, *validation)], cache)
    return PreparedData(loaded, train, validation, features, used, tuple(skipped), trained_on)


def _training_set(dataset: Dataset, split: Split, keys: Sequence[str], cache: Path) -> TrainingSet:
    """The record of what is trained on, images included; computed once for all runs that share a cache."""
    path = cache / f"training-set-{sha256_of_text(dataset.info.hash, split.hash, *keys)[:16]}.json"
    if path.is_file():
        return TrainingSet.model_validate_json(path.read_bytes())
    made = training_set_of(dataset, split, keys)
    write_text(path, [made.model_dump_json()])
    return made


def _samples(loaded: LoadedModel, prompts: Mapping[str, Tensors], examples: Sequence[Example]) -> tuple[Sample, ...]:
    """The samples of a part, without skipped cases."""
    return tuple(
        Sample(
            key=example.key,
            prompt=prompts[example.key],
            answer=tuple(loaded.backbone.answer(loaded.processor, example.text)),
            text=example.text,
            reference=example.reference,
            group=example.case.group,
            findings_known=example.case.findings_known,
            listed=example.listed,
            source=example.case.source,
        )
        for example in examples
        if example.key in prompts
    )


def _refuse_long(loaded: LoadedModel, prompts: Mapping[str, Tensors], limit: int | None) -> None:
    """Refuse all prompts with more image tokens than the recipe allows, before features are computed."""
    if limit is None:
        return
    count = partial(loaded.backbone.placeholders, loaded.model.config)
    if long := [(key, n) for key, prompt in prompts.items() if (n := count(prompt)) > limit]:
        named = ", ".join(f"{key} ({n})" for key, n in long[:MAX_NAMED]) + (
            " and others" if len(long) > MAX_NAMED else ""
        )
        raise TuningError(
            f"{len(long)} cases have more image tokens than max_image_tokens={limit}: {named}; "
            "raise it, use smaller images (settings.encoding.size), or remove these cases from the split"
        )


def _empty_part(source: DataSource, part: str, skipped: Sequence[SkippedCase]) -> str:
    """The message for a part without a usable case."""
    why = f"; {len(skipped)} cases were skipped, such as {': '.join(skipped[0])}" if skipped else ""
    return f"{source.data}: split {source.split} has no usable case in its part {part}{why}; use another split"


def _data_used(dataset: Dataset, split: Split, n_train: int, n_validation: int) -> DataUsed:
    return DataUsed(
        name=dataset.info.name,
        split=split.name,
        dataset_hash=dataset.info.hash,
        split_hash=split.hash,
        n_train=n_train,
        n_validation=n_validation,
    )
