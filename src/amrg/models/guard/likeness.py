"""Is a picture a mammogram at all? By plain measures of it, the same for every model, and shipped with amrg."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.birads import Laterality
from amrg.imaging.image import Pixels, PresentationImage
from amrg.models.guard.measures import Numbers, measure_picture
from amrg.models.guard.storage import read_guard_file, write_guard_file

FILE = Path(__file__).with_name("mammogram.safetensors")
CONTENT = "measures of pictures, 1"
LARGEST = 4.0  # deviations: what lies further out counts as this far out
_HIDDEN = ("first.weight", "first.bias", "last.weight", "last.bias")


@dataclass(frozen=True)
class MammogramCheck:
    """A few small networks over the measures of a picture; their mean output is how much it looks like a mammogram.

    `middle` and `spread` [measures] standardise; `first.weight` [networks, hidden, measures], `first.bias`
    [networks, hidden], `last.weight` [networks, hidden] and `last.bias` [networks] are the networks' layers. The
    likeness is a logit, moved so that 0 is the least that counts as a mammogram.
    """

    middle: Numbers
    spread: Numbers
    layers: dict[str, Numbers]

    def likeness(self, measures: Numbers) -> npt.NDArray[np.float64]:
        """How much pictures of these measures [pictures, measures] look like mammograms; below 0 they do not."""
        scaled = np.clip((measures - self.middle) / self.spread, -LARGEST, LARGEST)
        weight, bias, last, end = (self.layers[name] for name in _HIDDEN)
        hidden = np.maximum(np.einsum("nhm,pm->nph", weight, scaled) + bias[:, None], 0)
        found: npt.NDArray[np.float64] = (np.einsum("nph,nh->np", hidden, last) + end[:, None]).mean(0)
        return found

    def of_picture(self, picture: PresentationImage | Pixels, laterality: Laterality) -> float:
        """The likeness of a presentation image, [H, W] in 0..1, chest wall at its own edge."""
        return float(self.likeness(measure_picture(picture, laterality)[None])[0])

    def save(self, file: Path = FILE) -> None:
        """Write it to one file."""
        write_guard_file(file, CONTENT, {"middle": self.middle, "spread": self.spread, **self.layers})

    @classmethod
    def load(cls, file: Path = FILE) -> MammogramCheck:
        """Read it.

        Raises:
            ModelError: the file is damaged, or of another version of amrg.
        """
        stored = read_guard_file(file, CONTENT, ("middle", "spread", *_HIDDEN))
        return cls(stored["middle"], stored["spread"], {name: stored[name] for name in _HIDDEN})


@lru_cache(maxsize=1)
def mammogram_check() -> MammogramCheck:
    """The one that amrg ships."""
    return MammogramCheck.load()
