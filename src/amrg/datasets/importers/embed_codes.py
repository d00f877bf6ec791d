"""The codes of EMBED's clinical table in the words of the lexicon, from its AWS_Open_Data_Clinical_Legend.csv."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from amrg.birads import (
    Category,
    Certainty,
    Composition,
    Density,
    Depth,
    Distribution,
    Finding,
    Kind,
    Laterality,
    Location,
    Margin,
    Morphology,
    Quadrant,
    Shape,
)
from amrg.datasets.tables.cells import NUMERALS, Cells, plain_number

CATEGORY: dict[str, Category | None] = {
    "A": Category.INCOMPLETE,
    "N": Category.NEGATIVE,
    "B": Category.BENIGN,
    "P": Category.PROBABLY_BENIGN,
    "S": Category.SUSPICIOUS,
    "M": Category.HIGHLY_SUGGESTIVE,
    "K": Category.KNOWN_MALIGNANCY,
    "X": None,  # no assessment
}
COMPOSITION: dict[str, Composition] = {
    spelt: value for numeral, value in NUMERALS.items() for spelt in (numeral, f"{numeral}.0")
}
_SIDES: dict[str, tuple[Laterality, ...]] = {
    "L": (Laterality.LEFT,),
    "R": (Laterality.RIGHT,),
    "B": (Laterality.RIGHT, Laterality.LEFT),
}
_MASS: dict[str, Any] = {"kind": Kind.MASS}
_SHAPES: dict[str, dict[str, Any]] = {
    "G": _MASS,
    "R": _MASS | {"shape": Shape.ROUND},
    "O": _MASS | {"shape": Shape.OVAL},
    "X": _MASS | {"shape": Shape.IRREGULAR},
    "Q": {"kind": Kind.DISTORTION, "certainty": Certainty.POSSIBLE},
    "A": {"kind": Kind.DISTORTION},
    "T": {"kind": Kind.DILATED_DUCT},
    "N": {"kind": Kind.INTRAMAMMARY_NODE},
    "B": {"kind": Kind.GLOBAL_ASYMMETRY},
    "F": {"kind": Kind.FOCAL_ASYMMETRY},
    "S": {"kind": Kind.ASYMMETRY},
    "V": {"kind": Kind.DEVELOPING_ASYMMETRY},
}
_MARGINS = {
    "D": Margin.CIRCUMSCRIBED,
    "U": Margin.OBSCURED,
    "M": Margin.MICROLOBULATED,
    "I": Margin.INDISTINCT,
    "S": Margin.SPICULATED,
}
_DENSITIES = {"+": Density.HIGH, "=": Density.EQUAL, "-": Density.LOW, "0": Density.FAT}
_CALCIUM: dict[str, Morphology | None] = {
    "A": Morphology.AMORPHOUS,
    "9": Morphology.BENIGN,
    "H": Morphology.COARSE_HETEROGENEOUS,
    "C": Morphology.COARSE,
    "Q": Morphology.COARSE,
    "D": Morphology.DYSTROPHIC,
    "E": Morphology.RIM,
    "J": Morphology.RIM,  # oil cyst
    "O": Morphology.RIM,  # lucent-centred
    "F": Morphology.FINE_LINEAR,
    "B": Morphology.FINE_LINEAR,
    "I": Morphology.FINE_PLEOMORPHIC,
    "K": Morphology.FINE_PLEOMORPHIC,  # pleomorphic, as the older editions say
    "L": Morphology.ROD_LIKE,
    "M": Morphology.MILK_OF_CALCIUM,
    "P": Morphology.PUNCTATE,
    "R": Morphology.ROUND,
    "S": Morphology.SKIN,
    "U": Morphology.SUTURE,
    "V": Morphology.VASCULAR,
    "G": None,  # generic
}
_DISTRIBUTIONS = {
    "G": Distribution.GROUPED,
    "C": Distribution.GROUPED,
    "S": Distribution.SEGMENTAL,
    "R": Distribution.REGIONAL,
    "D": Distribution.DIFFUSE,
    "L": Distribution.LINEAR,
}
_OTHERS = {
    "4": Kind.ASYMMETRY,
    "A": Kind.AXILLARY_NODE,
    "D": Kind.DISTORTION,
    "E": Kind.DILATED_DUCT,
    "O": Kind.DILATED_DUCT,
    "J": Kind.SKIN_THICKENING,
    "S": Kind.SKIN_THICKENING,
    "L": Kind.SKIN_LESION,
    "N": Kind.NIPPLE_RETRACTION,
    "Q": Kind.FOCAL_ASYMMETRY,
    "R": Kind.SKIN_RETRACTION,
    "T": Kind.TRABECULAR_THICKENING,
}
_PLACES: dict[str, dict[str, Any]] = {
    **{str(hour): {"clock": hour} for hour in range(1, 13)},
    "W": {"quadrant": Quadrant.UPPER_OUTER},
    "X": {"quadrant": Quadrant.UPPER_INNER},
    "Y": {"quadrant": Quadrant.LOWER_OUTER},
    "Z": {"quadrant": Quadrant.LOWER_INNER},
    "C": {"quadrant": Quadrant.CENTRAL},
    "D": {"quadrant": Quadrant.INNER},
    "IN": {"quadrant": Quadrant.INNER},
    "I": {"quadrant": Quadrant.LOWER},
    "LO": {"quadrant": Quadrant.LOWER},
    "L": {"quadrant": Quadrant.OUTER},
    "OU": {"quadrant": Quadrant.OUTER},
    "S": {"quadrant": Quadrant.RETROAREOLAR},
    "U": {"quadrant": Quadrant.UPPER},
    "UP": {"quadrant": Quadrant.UPPER},
    "T": {"quadrant": Quadrant.AXILLARY_TAIL},
    "A": {"quadrant": Quadrant.AXILLARY_TAIL},
    "MD": {"depth": Depth.MIDDLE},
    "AN": {"depth": Depth.ANTERIOR},
}
_DEPTHS = {"A": Depth.ANTERIOR, "M": Depth.MIDDLE, "P": Depth.POSTERIOR}


def sides_of(cells: Cells) -> tuple[Laterality | None, ...]:
    """The breasts of a row; (None,) where it names none."""
    return cells.term("side", _SIDES) or (None,)


def findings_of(cells: Cells) -> Iterator[Finding]:
    """What a row describes: a mass or its like, calcifications, other findings, in each of the row's breasts."""
    described = [*_mass(cells), *_calcifications(cells), *_other(cells)]
    if not described:
        return
    shared = {"location": _location(cells), "category": cells.term("asses", CATEGORY)}
    described[0] |= {"size_mm": _whole(cells, "size", 1, 1.0)}
    for side in sides_of(cells):
        for finding in described:
            yield Finding(**finding, **shared, laterality=side)


def _mass(cells: Cells) -> list[dict[str, Any]]:
    """The mass, asymmetry, distortion or node of a row; descriptors of a mass on another kind are odd."""
    kind = cells.term("massshape", _SHAPES)
    traits = {"margin": cells.term("massmargin", _MARGINS), "density": cells.term("massdens", _DENSITIES)}
    if kind is None:
        return [_MASS | traits] if any(traits.values()) else []
    if kind["kind"] is Kind.MASS:
        return [kind | traits]
    if any(traits.values()):
        found = f"{cells.text('massmargin')}{cells.text('massdens')}"
        cells.report("massmargin", found, f"no margin or density for {kind['kind']}; kept in the labels only")
    return [dict(kind)]


def _calcifications(cells: Cells) -> list[dict[str, Any]]:
    """The calcifications of a row: any of their columns says that there are some."""
    found = cells.text("calcfind") or cells.text("calcdistri")
    if not found and not (cells.number("calcnumber") or 0) > 0:
        return []
    traits = {
        "morphology": cells.term("calcfind", _CALCIUM),
        "distribution": cells.term("calcdistri", _DISTRIBUTIONS),
    }
    return [{"kind": Kind.CALCIFICATIONS, **traits}]


def _other(cells: Cells) -> list[dict[str, Any]]:
    kind = cells.term("otherfind", _OTHERS)
    return [] if kind is None else [{"kind": kind}]


def _location(cells: Cells) -> Location:
    """Where in the breast; `distance` is published in cm."""
    place: dict[str, Any] = dict(cells.term("location", _PLACES) or {})
    depth = cells.term("depth", _DEPTHS)
    if depth is not None:
        place["depth"] = depth
    return Location(**place, nipple_distance_mm=_whole(cells, "distance", 0, 10.0))


def _whole(cells: Cells, column: str, least: int, factor: float) -> int | None:
    """A length in whole mm; a size of 0 means none, and a length beyond any breast is odd."""
    value = cells.number(column)
    if value is None or value == 0:
        return None
    length = round(value * factor)
    if least <= length <= 300:
        return length
    cells.report(column, plain_number(str(value)), f"{least} to 300 mm")
    return None
