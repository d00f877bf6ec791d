"""An engine that writes fixed texts, without any model: for tests and for trying pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from amrg.generation.engines.base import Generation, ImageFeatures, ModelIdentity, Request
from amrg.models.guard.distance import DomainCheck
from amrg.models.settings import ModelSettings
from amrg.models.views import ViewEncoding

NORMAL = "Breast composition: ACR B. No suspicious finding. BI-RADS 1. Routine screening."
SETTINGS = ModelSettings(encoding=ViewEncoding(size=64))
IDENTITY = ModelIdentity(name="fixed", weights=None, device="none", dtype="none", chat_template=None)


@dataclass(frozen=True)
class FixedEngine:
    """Writes `texts` in turn, for each `generate` from the first on; `features` and `domain` go with every one."""

    texts: tuple[str, ...] = (NORMAL,)
    features: ImageFeatures | None = None
    domain: DomainCheck | None = None
    settings: ModelSettings = SETTINGS
    identity: ModelIdentity = IDENTITY
    max_batch: int = 1
    notes: tuple[str, ...] = ()

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        """The texts in turn, whatever the images."""
        for text in islice(cycle(self.texts), len(requests)):
            yield Generation(text, self.features, self.domain)
