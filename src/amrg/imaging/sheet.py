"""The contact sheet: the views as they hang, chest walls meeting, at one scale, with marks and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amrg.birads import Laterality, View, ViewBox
from amrg.imaging.study import Mammogram, Study

CELL = (420, 520)  # width, height of one view on the sheet
GAP = 6
INK = (235, 235, 235)
MARK = (255, 190, 60)


@dataclass(frozen=True)
class Mark:
    """A box on one view, in pixels of the original image, with a short label."""

    box: ViewBox
    label: str


def contact_sheet(study: Study, marks: Sequence[Mark] = ()) -> Image.Image:
    """All views of a study: rows of right and left, CC above MLO above any other projection."""
    rows = _rows(study)
    sheet = Image.new("RGB", (2 * CELL[0] + GAP, len(rows) * (CELL[1] + GAP) - GAP), (24, 24, 28))
    scale = _scale(study)
    for row, (view, pair) in enumerate(rows):
        for column, side in enumerate(Laterality):
            tile = _tile(pair.get(side), (side, view), scale, marks)
            sheet.paste(tile, (column * (CELL[0] + GAP), row * (CELL[1] + GAP)))
    return sheet


def _rows(study: Study) -> list[tuple[View, dict[Laterality, Mammogram]]]:
    """Views in hanging order, each with the breasts that have it; CC and MLO always have a row."""
    order = [View.CC, View.MLO] + [v for v in View if v not in (View.CC, View.MLO)]
    found = {view: {m.laterality: m for m in study.mammograms if m.view is view} for view in order}
    return [(view, pair) for view, pair in found.items() if pair or view in (View.CC, View.MLO)]


def _scale(study: Study) -> float:
    """Sheet pixels a mm, so that all views are drawn at one scale; 0 where a spacing is unknown."""
    sizes = [
        (m.columns * m.pixel_spacing_mm[1], m.rows * m.pixel_spacing_mm[0]) if m.pixel_spacing_mm else None
        for m in study.mammograms
    ]
    known = [s for s in sizes if s is not None]
    if len(known) != len(sizes) or not known:
        return 0.0
    return min(CELL[0] / max(w for w, _ in known), CELL[1] / max(h for _, h in known))


def _tile(
    mammogram: Mammogram | None, name: tuple[Laterality, View], scale: float, marks: Sequence[Mark]
) -> Image.Image:
    """One view against its chest wall, with its marks; a missing view is labelled as such."""
    tile = Image.new("RGB", CELL, (0, 0, 0))
    draw = ImageDraw.Draw(tile)
    side, view = name
    at_right = side is Laterality.RIGHT  # a right breast hangs with its chest wall at the right
    if mammogram is None:
        draw.text(
            (CELL[0] / 2, CELL[1] / 2), f"{side}{view}\nnot in the study", INK, _font(18), anchor="mm", align="center"
        )
        return tile
    step = _step(mammogram, scale)
    width, height = round(mammogram.columns * step[0]), round(mammogram.rows * step[1])
    grey = Image.fromarray(np.rint(mammogram.pixels() * 255).astype(np.uint8))
    left, top = (CELL[0] - width if at_right else 0), (CELL[1] - height) // 2
    tile.paste(grey.resize((width, height), Image.Resampling.BOX).convert("RGB"), (left, top))
    for mark in marks:
        if (mark.box.laterality, mark.box.view) == name:
            _draw_mark(draw, mark, (left, top), step)
    draw.text((10 if at_right else CELL[0] - 10, 8), f"{side}{view}", INK, _font(20), anchor="la" if at_right else "ra")
    return tile


def _step(mammogram: Mammogram, scale: float) -> tuple[float, float]:
    """Sheet pixels an image pixel, across and down."""
    if scale and mammogram.pixel_spacing_mm:
        return mammogram.pixel_spacing_mm[1] * scale, mammogram.pixel_spacing_mm[0] * scale
    one = min(CELL[0] / mammogram.columns, CELL[1] / mammogram.rows)
    return one, one


def _draw_mark(draw: ImageDraw.ImageDraw, mark: Mark, origin: tuple[int, int], step: tuple[float, float]) -> None:
    """A rounded box with its label under it, inside the tile."""
    box = mark.box
    corners = (
        max(1, origin[0] + box.left * step[0] - 3),
        max(1, origin[1] + box.top * step[1] - 3),
        min(CELL[0] - 2, origin[0] + box.right * step[0] + 3),
        min(CELL[1] - 2, origin[1] + box.bottom * step[1] + 3),
    )
    if corners[2] <= corners[0] or corners[3] <= corners[1]:
        return
    draw.rounded_rectangle(corners, 4, outline=MARK, width=2)
    at_right = corners[2] > CELL[0] - 90
    below = corners[3] + 3 if corners[3] < CELL[1] - 22 else corners[1] - 18
    where = (corners[2] if at_right else corners[0], below)
    draw.text(
        where, mark.label, MARK, _font(15), anchor="ra" if at_right else "la", stroke_width=2, stroke_fill=(0, 0, 0)
    )


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
