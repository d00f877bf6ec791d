"""Populations: how common lesions are and of what class, how hard they are to see, how images vary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from zlib import crc32

from amrg.birads import (
    ASYMMETRIES,
    Density,
    Distribution,
    Finding,
    Kind,
    Margin,
    Morphology,
    Shape,
)
from amrg.core.errors import AmrgError
from amrg.phantom.categories import category_of
from amrg.phantom.devices import USUAL, Devices


class PhantomError(AmrgError):
    """A phantom or a set of phantoms that cannot be drawn with these settings."""


class Size(StrEnum):
    """Size of the images: SMALL has 0.4 mm pixels (600 x 480), FULL 0.1 mm (2400 x 1920)."""

    SMALL = "small"
    FULL = "full"

    @property
    def pitch_mm(self) -> float:
        """Pixel pitch in mm."""
        return 0.4 if self is Size.SMALL else 0.1

    @property
    def study_bytes(self) -> int:
        """Bytes of the four files of an exam, of 16-bit pixels, headers aside."""
        return 4 * 2 * (600 * 480 if self is Size.SMALL else 2400 * 1920)


@dataclass(frozen=True)
class Population:
    """All settings that decide what is drawn. Weights need not add to one.

    `levels` weighs the category 1 to 5, without its letter, of the exam's worst finding before retractions are added: a
    retraction makes 4C a 5. `rich` ignores it and gives nearly every breast one to three
    lesions of any class, all about as common. Contrast-to-noise of a lesion is drawn log-uniformly from its range and
    never below `floor`.
    """

    levels: tuple[float, float, float, float, float] = (0.32, 0.18, 0.15, 0.235, 0.115)
    rich: bool = False
    compositions: tuple[float, float, float, float] = (0.2, 0.3, 0.3, 0.2)
    extra_lesion: float = 0.25  # chance of each of up to two further findings, of no worse a digit
    associated: float = 0.3  # chance that a category 4C or 5 finding thickens or draws in skin or nipple
    axillary: float = 0.1  # chance that it enlarges a node in the axilla as well
    mass_contrast: tuple[float, float] = (2.8, 8.0)
    calcification_contrast: tuple[float, float] = (6.0, 20.0)
    soft_contrast: tuple[float, float] = (2.8, 7.0)  # asymmetries, distortion
    floor: float = 2.0  # Rose (1948): below 3 to 5 deviations a signal is seldom seen
    artefacts: float = 0.25  # chance of a film border, and of dust
    # The fields below are in the key only where they differ from the default, so that older sets keep their key.
    name: str = field(default="", repr=False)
    devices: Devices = field(default=USUAL, repr=False)
    # How often for once: among lesions of one category, or among all in a rich population.
    calcifications: float = field(default=1.0, repr=False)
    asymmetries: float = field(default=1.0, repr=False)  # of every kind

    def __post_init__(self) -> None:
        """Refuse invalid settings, all in one error."""
        wrong = [f"{name}: found {value}, expected {rule}" for name, value, rule, right in self._rules() if not right]
        if wrong:
            raise PhantomError("population: " + "; ".join(wrong))

    def _rules(self) -> Iterator[tuple[str, object, str, bool]]:
        """Each setting's name, value, rule, and whether the value satisfies it."""
        for name in ("levels", "compositions"):
            weights: tuple[float, ...] = getattr(self, name)
            yield name, weights, "weights of 0 or more, not all 0", min(weights) >= 0 < sum(weights)
        for name in ("extra_lesion", "associated", "axillary", "artefacts"):
            chance: float = getattr(self, name)
            yield name, chance, "a chance from 0 to 1", 0 <= chance <= 1
        for name in ("mass_contrast", "calcification_contrast", "soft_contrast"):
            low, high = getattr(self, name)
            yield name, (low, high), "a range above 0, the lower end first", 0 < low <= high
        yield "floor", self.floor, "0 or more", self.floor >= 0
        for name in ("calcifications", "asymmetries"):
            factor: float = getattr(self, name)
            yield name, factor, "more than 0", factor > 0
        yield "devices.curved", self.devices.curved, "a chance from 0 to 1", 0 <= self.devices.curved <= 1
        for name, (low, high) in self.devices.ranges().items():
            yield f"devices.{name}", (low, high), "a range of 0 or more, the lower end first", 0 <= low <= high
        drawn_by_logarithm = (self.devices.gamma, self.devices.noise)
        yield "devices.gamma, noise", drawn_by_logarithm, "ranges above 0", min(map(min, drawn_by_logarithm)) > 0

    @property
    def key(self) -> str:
        """The name, where there is one, and eight hex digits computed from the settings.

        A set is resumed only under the same key.
        """
        own = [f.name for f in fields(self) if not f.repr and getattr(self, f.name) != f.default]
        settings = repr(self) + "".join(f" {name}={getattr(self, name)!r}" for name in own)
        digits = f"{crc32(settings.encode()):08x}"
        return f"{self.name}-{digits}" if self.name else digits

    def favour(self, drawn: LesionClass) -> float:
        """What the weight of a class is multiplied by."""
        if drawn.finding.kind is Kind.CALCIFICATIONS:
            return self.calcifications
        return self.asymmetries if drawn.finding.kind in ASYMMETRIES else 1.0


SCREENING = Population()
RICH = Population(rich=True)
FAINT_SCREENING, FAINT_RICH = (
    replace(p, mass_contrast=(2.0, 6.0), soft_contrast=(1.8, 4.5), floor=1.2) for p in (SCREENING, RICH)
)
"""The same with lesions fainter than a reader can be expected to see: to train on, not to test on."""
_VARIED_DEVICES = Devices(
    curved=0.8,
    steepness=(1.5, 7.0),
    middle=(0.33, 0.62),
    gamma=(0.6, 1.6),
    high=(0.55, 1.0),
    blur_mm=(0.0, 0.5),
    noise=(0.002, 0.03),
    grain_mm=(0.0, 0.65),
)
_ALL_DENSITIES = (0.25, 0.25, 0.25, 0.25)
VARIED_SCREENING = replace(SCREENING, compositions=_ALL_DENSITIES, devices=_VARIED_DEVICES, calcifications=1.5)
VARIED_RICH = replace(RICH, compositions=_ALL_DENSITIES, devices=_VARIED_DEVICES)
"""The same by the devices of many sites, soft and noisy ones too: to train on."""
ASYMMETRIC, VARIED_ASYMMETRIC = (replace(p, asymmetries=8.0) for p in (RICH, VARIED_RICH))
"""Rich ones of whose lesions a third are asymmetries, which are rare in the others: to train on."""
SHIFTED = Population(
    levels=(0.2, 0.1, 0.1, 0.4, 0.2),
    compositions=(0.1, 0.2, 0.35, 0.35),
    name="shifted",
    devices=Devices(
        curved=1.0,
        steepness=(5.0, 7.0),
        middle=(0.35, 0.45),
        gamma=(0.65, 0.9),
        high=(0.6, 0.8),
        blur_mm=(0.25, 0.5),
        noise=(0.016, 0.03),
        grain_mm=(0.35, 0.65),
    ),
    calcifications=3.0,
)
"""Another site: a clinic of referred women, with denser breasts, more calcifications and higher categories, and devices
that draw softer and with more and coarser noise, their tone curve flat where tissue is dense."""
POPULATIONS: dict[str, Population] = {"screening": SCREENING, "rich": RICH, "shifted": SHIFTED}
"""Populations by their name on the command line."""


@dataclass(frozen=True)
class LesionClass:
    """A drawable class: its descriptors, its weight among those of the same category, its radius in mm."""

    finding: Finding
    weight: float
    radius: tuple[float, float]


def _masses() -> Iterator[LesionClass]:
    """Shape by margin by density, in combinations that occur."""
    for shape in (Shape.OVAL, Shape.ROUND):
        for margin in (Margin.CIRCUMSCRIBED, Margin.OBSCURED, Margin.MICROLOBULATED, Margin.INDISTINCT):
            for density in (Density.LOW, Density.EQUAL, Density.HIGH):
                f = Finding(kind=Kind.MASS, shape=shape, margin=margin, density=density)
                yield LesionClass(f, 1.0, (4.5, 13.0))
        fat = Finding(kind=Kind.MASS, shape=shape, margin=Margin.CIRCUMSCRIBED, density=Density.FAT)
        yield LesionClass(fat, 1.0, (5.0, 14.0))
    for margin in (Margin.INDISTINCT, Margin.MICROLOBULATED, Margin.SPICULATED):
        for density in (Density.EQUAL, Density.HIGH):
            f = Finding(kind=Kind.MASS, shape=Shape.IRREGULAR, margin=margin, density=density)
            yield LesionClass(f, 3.0 if margin is Margin.SPICULATED else 1.0, (5.0, 12.0))


def _calcifications() -> Iterator[LesionClass]:
    """Morphology by distribution, in combinations that occur."""
    m, d = Morphology, Distribution
    table: dict[Morphology, tuple[Distribution | None, ...]] = {
        m.VASCULAR: (None,),
        m.COARSE: (None,),
        m.ROD_LIKE: (d.DIFFUSE,),
        m.RIM: (None,),
        m.DYSTROPHIC: (d.GROUPED,),
        m.SKIN: (d.GROUPED,),
        m.MILK_OF_CALCIUM: (d.GROUPED,),
        m.SUTURE: (None,),
        m.ROUND: (d.GROUPED, d.DIFFUSE),
        m.PUNCTATE: (d.GROUPED, d.DIFFUSE),
        m.AMORPHOUS: (d.GROUPED, d.REGIONAL, d.SEGMENTAL),
        m.COARSE_HETEROGENEOUS: (d.GROUPED, d.REGIONAL, d.SEGMENTAL),
        m.FINE_PLEOMORPHIC: (d.GROUPED, d.LINEAR, d.SEGMENTAL, d.REGIONAL),
        m.FINE_LINEAR: (d.LINEAR, d.SEGMENTAL, d.GROUPED),
    }
    radius: dict[Distribution | None, tuple[float, float]] = {
        None: (2.5, 6.0),
        d.GROUPED: (3.5, 8.0),
        d.LINEAR: (9.0, 17.0),
        d.SEGMENTAL: (13.0, 21.0),
        d.REGIONAL: (13.0, 20.0),
        d.DIFFUSE: (30.0, 45.0),
    }
    for morphology, distributions in table.items():
        for distribution in distributions:
            f = Finding(kind=Kind.CALCIFICATIONS, morphology=morphology, distribution=distribution)
            yield LesionClass(f, _CALC_WEIGHT.get(morphology, 1.0), radius[distribution])


_CALC_WEIGHT = {
    Morphology.PUNCTATE: 2.0,
    Morphology.ROUND: 2.0,
    Morphology.AMORPHOUS: 2.5,
    Morphology.COARSE_HETEROGENEOUS: 2.5,
    Morphology.FINE_PLEOMORPHIC: 2.5,
    Morphology.FINE_LINEAR: 2.0,
}


def _others() -> Iterator[LesionClass]:
    """Asymmetries, distortion, nodes."""
    yield LesionClass(Finding(kind=Kind.ASYMMETRY), 1.5, (8.0, 15.0))
    yield LesionClass(Finding(kind=Kind.FOCAL_ASYMMETRY), 2.0, (8.0, 15.0))
    yield LesionClass(Finding(kind=Kind.GLOBAL_ASYMMETRY), 1.0, (24.0, 32.0))
    yield LesionClass(Finding(kind=Kind.DISTORTION), 4.0, (10.0, 18.0))
    node = Finding(kind=Kind.INTRAMAMMARY_NODE, shape=Shape.OVAL, margin=Margin.CIRCUMSCRIBED)
    yield LesionClass(node, 1.5, (3.5, 6.0))
    axillary = Finding(kind=Kind.AXILLARY_NODE, shape=Shape.OVAL, margin=Margin.CIRCUMSCRIBED)
    yield LesionClass(axillary, 1.5, (5.0, 9.0))


CLASSES: tuple[LesionClass, ...] = tuple(_masses()) + tuple(_calcifications()) + tuple(_others())


def even_weights() -> tuple[float, ...]:
    """Weights over CLASSES that make classes equally common, those that differ in density alone being one class."""
    alike = Counter(_without_density(c) for c in CLASSES)
    return tuple(1.0 / alike[_without_density(c)] for c in CLASSES)


def _without_density(drawn: LesionClass) -> Finding:
    """The class's descriptors without density; fat-containing masses stay a class of their own."""
    if drawn.finding.density is Density.FAT:
        return drawn.finding
    return drawn.finding.model_copy(update={"density": None})


def classes_of(level: int) -> tuple[LesionClass, ...]:
    """The classes whose category has this number, 2 to 5."""
    return tuple(c for c in CLASSES if category_of(c.finding).major == level)
