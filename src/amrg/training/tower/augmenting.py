"""Training views varied: zoomed, turned, shifted, mirrored, in another tone. Determined by the generator given."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from amrg.birads import View
from amrg.models.embedded.attributes import Place
from amrg.training.tower.films import Box
from amrg.training.tower.labelled_views import LabelledView, PlacedLesion

ZOOM, TURN = (0.85, 1.15), 9.0  # factor; degrees to either side
DOWN, TO_WALL = 0.04, 0.03  # shifts as shares of the side: up or down, and to the chest wall
GAMMA, GAIN, STRENGTH = (0.7, 1.4), (0.85, 1.1), (0.75, 1.25)
MIRRORED = {Place.OUTER: Place.INNER, Place.INNER: Place.OUTER}


@dataclass(frozen=True)
class ViewPlacement:
    """Where a view's pixels go: scaled, turned about the middle of the chest wall, shifted; rows mirrored first."""

    scale: float
    angle: float
    right: float
    down: float
    mirrored: bool
    rows: int  # of the view
    size: int  # rows of the result

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point of the view in the result."""
        y = (self.rows / 2 - y) if self.mirrored else (y - self.rows / 2)
        c, s = math.cos(self.angle) * self.scale, math.sin(self.angle) * self.scale
        return c * x - s * y + self.right, s * x + c * y + self.size / 2 + self.down

    def inverse(self) -> tuple[float, float, float, float, float, float]:
        """Coefficients that give a point of the view for one of the result, as Pillow takes them."""
        c, s = math.cos(self.angle) / self.scale, math.sin(self.angle) / self.scale
        x, y = self.right, self.size / 2 + self.down
        up = -1.0 if self.mirrored else 1.0
        return c, s, -c * x - s * y, -up * s, up * c, self.rows / 2 + up * (s * x - c * y)


def usual_placement(view: LabelledView, size: int) -> ViewPlacement:
    """The whole view, `size` rows high."""
    rows = view.image.shape[0]
    return ViewPlacement(size / rows, 0.0, 0.0, 0.0, False, rows, size)


def random_placement(view: LabelledView, size: int, rng: np.random.Generator) -> ViewPlacement:
    """A placement drawn at random; a view from above may be mirrored, which exchanges outer and inner."""
    rows = view.image.shape[0]
    zoom, angle = rng.uniform(*ZOOM), math.radians(rng.uniform(-TURN, TURN))
    down, right = rng.uniform(-DOWN, DOWN) * size, rng.uniform(-TO_WALL, TO_WALL / 4) * size
    mirrored = view.view is View.CC and bool(rng.random() < 0.5)
    return ViewPlacement(zoom * size / rows, angle, right, down, mirrored, rows, size)


def place_view(view: LabelledView, placement: ViewPlacement, columns: int) -> LabelledView:
    """The view in another place, `columns` wide, its lesions with it; boxes stay upright, about the same centre."""
    image = Image.fromarray(np.ascontiguousarray(view.image)).transform(
        (columns, placement.size), Image.Transform.AFFINE, placement.inverse(), Image.Resampling.BILINEAR
    )
    lesions = tuple(_placed(lesion, placement) for lesion in view.lesions)
    return replace(view, image=np.asarray(image), lesions=lesions)


def _placed(lesion: PlacedLesion, placement: ViewPlacement) -> PlacedLesion:
    attributes = dict(lesion.attributes)
    if placement.mirrored and "place" in attributes:
        place = Place(attributes["place"])
        attributes["place"] = MIRRORED.get(place, place)
    return replace(lesion, box=_placed_box(lesion.box, placement), attributes=attributes)


def _placed_box(box: Box, placement: ViewPlacement) -> Box:
    x, y = placement.point((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    w, h = ((box[2] - box[0]) / 2 * placement.scale, (box[3] - box[1]) / 2 * placement.scale)
    return (x - w, y - h, x + w, y + h)


def vary_tone(image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Another tone and contrast, as of another detector or film; background stays 0."""
    levels = np.arange(256)
    tone = np.clip((levels / 255) ** rng.uniform(*GAMMA) * rng.uniform(*GAIN), 0, 1) * 255
    tables = [tone, *((levels - zero) * rng.uniform(*STRENGTH) + zero for zero in (128, 0))]
    made = np.empty_like(image)
    for channel, table in enumerate(tables):
        lookup = np.clip(table, 0, 255).astype(np.uint8)
        made[..., channel] = lookup[image[..., channel]]
    return made
