"""An engine that writes fixed texts, without any model: for tests and for trying pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from amrg.core.hashing import sha256_of_text
from amrg.generation.engines.base import GREEDY, Generation, ImageFeatures, InProcess, ModelIdentity, Request
from amrg.models.guard.distance import DomainCheck
from amrg.models.settings import ModelSettings
from amrg.models.views import ViewEncoding

NORMAL = "Breast composition: ACR B. No suspicious finding. BI-RADS 1. Routine screening."
SETTINGS = ModelSettings(encoding=ViewEncoding(size=64))


@dataclass(frozen=True)
class FixedEngine(InProcess):
    """Writes `texts` in turn, for each `generate` from the first on; `features` and `domain` go with every one."""

    texts: tuple[str, ...] = (NORMAL,)
    features: ImageFeatures | None = None
    domain: DomainCheck | None = None
    settings: ModelSettings = SETTINGS
    max_batch: int = 1
    notes: tuple[str, ...] = ()
    decoding: str = GREEDY

    @property
    def identity(self) -> ModelIdentity:
        """Its texts and features are its weights."""
        weights = sha256_of_text(*self.texts, repr((self.features, self.domain)))
        return ModelIdentity(name="fixed", weights=weights, device="none", dtype="none", chat_template=None)

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        """The texts in turn, whatever the images."""
        for text in islice(cycle(self.texts), len(requests)):
            yield Generation(text, self.features, self.domain)
