"""What is computed of the cases of one base and one data set: where it is stored, and how it is filled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_text
from amrg.core.progress import Progress
from amrg.core.values import Value
from amrg.datasets import Dataset
from amrg.models.backbones.base import Prompt, Tensors
from amrg.models.load import LoadedModel
from amrg.training.data.base_model import features_fingerprint, images_fingerprint, prompts_fingerprint
from amrg.training.data.examples import Example, ExampleReader, SkippedCase, from_tensors
from amrg.training.data.feature_cache import FeatureCache, Parts, encode_images, stored_parts
from amrg.training.data.samples import Stage
from amrg.training.data.tensor_store import TensorStore

SET_ASIDE = "set-aside"
"""The folder of cases that no run uses, inside the store of images: remove it to try them again."""


class UnusableCase(Value):
    """A case that no run uses, and why."""

    key: str
    reason: str


class CaseStores:
    """The stores of one base and one data set, and how they are filled."""

    def __init__(
        self, loaded: LoadedModel, dataset: Dataset, examples: Sequence[Example], cache: Path, stage: Stage
    ) -> None:
        """Open them below `cache`; `stage` is how far images are encoded."""
        self.loaded, self.stage = loaded, stage
        cases = {example.key: example.case for example in examples}
        self._reader = ExampleReader(cases, dataset.root, loaded.settings.encoding)
        data_hash = dataset.info.hash
        self._images = TensorStore.under(cache, "images", images_fingerprint(loaded, data_hash))
        self._prompts = TensorStore.under(cache, "prompts", prompts_fingerprint(loaded, data_hash))
        self._features = self._images
        if stage is not Stage.PIXELS:
            fingerprint = features_fingerprint(loaded, data_hash, stage)
            self._features = TensorStore.under(cache, stage.value.replace(" ", "-"), fingerprint)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the stores: equal where data, base, software, settings and kind of device are."""
        return (self._images.folder.name, self._prompts.folder.name, self._features.folder.name)

    def missing(self) -> list[str]:
        """The cases of which not all is stored, without those that were set aside."""
        unused = self._set_aside()
        incomplete = (key for key in self._reader.cases if key not in self._prompts or key not in self._features)
        return [key for key in incomplete if key not in unused]

    def fill_prompts(self, progress: Progress) -> tuple[dict[str, Tensors], list[SkippedCase]]:
        """Fill the images and the prompts; returns the prompts, and the cases without one, each with the reason."""
        keys, unused = self.missing(), self._set_aside()
        self._images.fill(keys, self._reader.read, partial(progress, "reading images"))
        readable = [key for key in keys if key in self._images]
        self._prompts.fill(readable, partial(map, self._columns), partial(progress, "building prompts"))
        used = (key for key in self._reader.cases if key in self._prompts and key not in unused)
        return {key: self._prompts.read(key) for key in used}, [*self._reader.unreadable.items(), *unused.items()]

    def fill_features(self, keys: Sequence[str], progress: Progress) -> FeatureCache:
        """Fill the features or image tokens; returns the cache that training reads from."""
        if self.stage is Stage.PIXELS:
            return FeatureCache(self.stage, self._pixels)
        self._features.fill(keys, partial(map, self._encode), partial(progress, f"computing {self.stage.value}"))
        return FeatureCache(self.stage, partial(stored_parts, self._features))

    def make_parts(self, key: str, max_image_tokens: int | None) -> None:
        """Compute all of one case into files of its own, which the next fill of any process takes.

        Nothing where its images cannot be read or it has no text, and no features where it has too many image tokens:
        whoever fills the stores reports it.
        """
        if key not in self._reader.cases:
            return
        if not self._has(self._images, key):
            images = next(iter(self._reader.read([key])))
            if images is None:
                return
            self._images.add_part(key, images)
        if not self._has(self._prompts, key):
            self._prompts.add_part(key, self._columns(key))
        model = self.loaded.model
        tokens = self.loaded.backbone.placeholders(model.config, self._prompts.read(key))
        if (max_image_tokens is None or tokens <= max_image_tokens) and not self._has(self._features, key):
            self._features.add_part(key, self._encode(key))

    def set_aside(self, key: str, reason: str) -> None:
        """Record that a case is not to be used, for every run with these images."""
        path = self._images.folder / SET_ASIDE / f"{sha256_of_text(key)[:32]}.json"
        path.parent.mkdir(exist_ok=True)
        write_text(path, [UnusableCase(key=key, reason=reason).model_dump_json()])

    def _set_aside(self) -> dict[str, str]:
        """The cases that are not to be used, each with the reason."""
        files = sorted((self._images.folder / SET_ASIDE).glob("*.json"))
        found = (UnusableCase.model_validate_json(file.read_bytes()) for file in files)
        return {one.key: one.reason for one in found if one.key in self._reader.cases}

    @staticmethod
    def _has(store: TensorStore, key: str) -> bool:
        return key in store or store.has_part(key)

    def _prompt(self, key: str) -> Prompt:
        views, images = from_tensors(self._images.read(key))
        return self.loaded.backbone.build_prompt(self.loaded.processor, self.loaded.settings, views, images)

    def _columns(self, key: str) -> Tensors:
        return self._prompt(key).tokens

    def _encode(self, key: str) -> Tensors:
        return encode_images(self.loaded, self._prompt(key), self.stage)

    def _pixels(self, key: str) -> Parts:
        return (self._prompt(key).pixels,)
