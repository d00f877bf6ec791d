"""Training views of every source in one form: an image, its lesions, and what is known of the view as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from amrg.birads import Composition, Finding, Kind, Laterality, View, ViewBox
from amrg.birads.lexicon import ASYMMETRIES, NODES
from amrg.birads.placement import depth_of_box, half_of_box
from amrg.datasets.importers.cbis_ddsm import finding_of_terms
from amrg.imaging import NippleView
from amrg.models.embedded.attributes import attribute_values, place_in_view
from amrg.training.embedded.phantom_shards import ViewLesion
from amrg.training.tower.films import Box, Lesion

SUSPICIOUS, PROBABLY_BENIGN = 4, 3  # major categories: a drawn finding from 4 on is abnormal, up to 3 is benign


class Source(StrEnum):
    """How an image came about: it must not tell what is in it."""

    DRAWN = "drawn"
    FILM = "film"
    DIGITAL = "digital"


@dataclass(frozen=True)
class PlacedLesion:
    """A lesion in one image, `box` left, top, right, bottom in its pixels.

    `unsure` kinds are counted neither as there nor as absent within the box; `malignant` is by pathology, None where
    not known.
    """

    box: Box
    kinds: tuple[Kind, ...]
    unsure: tuple[Kind, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    malignant: bool | None = None


@dataclass(frozen=True)
class LabelledView:
    """One training view. `image` is uint8 [size, columns, 3], chest wall at the left.

    `suspicion` is 1 where the view has cancer, 0 where it is normal, between for benign lesions that were biopsied,
    None where not known. `absence` says how far what is not listed is absent, by kind: 1 surely, 0 not known.
    """

    image: npt.NDArray[np.uint8]
    view: View
    lesions: tuple[PlacedLesion, ...]
    composition: Composition | None
    suspicion: float | None
    source: Source
    absence: Mapping[Kind, float]


def as_pixels(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Framed images [n, H, W, 3] as the tower takes them: float32 [n, 3, H, W] in -1..1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


SURE = dict.fromkeys(Kind, 1.0)
LISTED = {
    **dict.fromkeys(Kind, 0.2),  # seldom there, but nobody was asked to list it
    Kind.MASS: 1.0,
    Kind.CALCIFICATIONS: 0.4,
    **dict.fromkeys(NODES, 0.0),  # on half of all MLO views
}
"""How far a kind is absent from a film where no lesion of it is listed: its table lists masses, or calcifications."""
UNKNOWN = dict.fromkeys(Kind, 0.0)
"""Of an image with findings that nobody marked."""
BIOPSIED = 0.3  # suspicion of a view whose only lesions proved benign


def drawn_lesion(lesion: ViewLesion, view: View) -> PlacedLesion:
    """A drawn lesion. Category 5 is drawn as cancer, up to 3 as benign; 4 may be either."""
    finding = lesion.finding
    major = finding.category.major if finding.category is not None else None
    malignant = None if major is None or major == SUSPICIOUS else major > SUSPICIOUS
    return PlacedLesion(lesion.box, (finding.kind,), (), attribute_values(finding, view), malignant)


def drawn_suspicion(lesions: tuple[ViewLesion, ...]) -> float | None:
    """Of a drawn view: 1 from category 4 on, 0 up to 2."""
    worst = max((x.finding.category.major for x in lesions if x.finding.category is not None), default=1)
    return None if worst == PROBABLY_BENIGN else float(worst >= SUSPICIOUS)


def film_lesion(lesion: Lesion, view: View) -> PlacedLesion:
    """A listed lesion of a real image, by its table's own terms."""
    labels = lesion.labels
    malignant = _malignant(str(labels.get("pathology", "")))
    if labels["kind"] == "lesion":
        return PlacedLesion(lesion.box, *_tagged(str(labels.get("tags", ""))), malignant=malignant)
    finding = finding_of_terms(labels)
    kinds, unsure = _kinds(finding)
    return PlacedLesion(lesion.box, kinds, unsure, attribute_values(finding, view), malignant)


def with_place(lesion: PlacedLesion, nipple: NippleView | None, view: View) -> PlacedLesion:
    """A lesion of a view, chest wall at the left, with its place and depth as its box shows them from the nipple."""
    if nipple is None:
        return lesion
    left, top, right, bottom = lesion.box
    over, behind = nipple.position((left + right) / 2, (top + bottom) / 2)
    edges = {"left": left, "top": top, "right": right, "bottom": bottom}
    box = ViewBox(laterality=Laterality.LEFT, view=view, off_nipple_line=over, behind_nipple=behind, **edges)
    half, depth = half_of_box(box), depth_of_box(box)
    place = None if half is None else place_in_view(half, view)
    placed = {name: str(value) for name, value in (("place", place), ("depth", depth)) if value is not None}
    return replace(lesion, attributes={**lesion.attributes, **placed})


def film_suspicion(lesions: tuple[PlacedLesion, ...]) -> float | None:
    """Of a real view: 1 with cancer, 0 without a lesion, between where all proved benign."""
    if any(x.malignant for x in lesions):
        return 1.0
    if not lesions:
        return 0.0
    return BIOPSIED if all(x.malignant is False for x in lesions) else None


def _malignant(pathology: str) -> bool | None:
    return True if pathology.startswith("MALIGNANT") else False if pathology.startswith("BENIGN") else None


def _kinds(finding: Finding) -> tuple[tuple[Kind, ...], tuple[Kind, ...]]:
    """Kinds that are there, and those that may be: readers draw the line between densities in different places."""
    if finding.kind in ASYMMETRIES:
        return (), (Kind.MASS, *sorted(ASYMMETRIES))
    if finding.kind in NODES:
        return (), (Kind.MASS, *sorted(NODES))
    if finding.kind is Kind.DISTORTION:
        return (Kind.DISTORTION,), (Kind.MASS,)
    return (finding.kind,), finding.associated


def _tagged(tags: str) -> tuple[tuple[Kind, ...], tuple[Kind, ...]]:
    """Kinds of a marked lesion by the words of its image: a mask does not say which of them it surrounds."""
    kinds = (Kind.MASS,) if "mass" in tags.lower() else ()
    return kinds, tuple(kind for kind in Kind if kind not in kinds)


def density_of(record: Mapping[str, Any]) -> Composition | None:
    """Composition of a real image, from its number 1 to 4."""
    number = record.get("density")
    return None if number is None else list(Composition)[int(number) - 1]
