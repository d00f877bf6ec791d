"""The contact sheet: the views as they hang, chest walls meeting, a pair at one scale, with marks and captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from amrg.birads import Finding, Laterality, View, ViewBox, describe_finding
from amrg.imaging.framing import breast_extent
from amrg.imaging.study import Mammogram, Study

HEIGHT = 560  # pixels of one view on the sheet
WIDEST, NARROWEST = 480, 260
GAP = 6
MARGIN = 0.03  # of the breast's height, kept around it
INK = (235, 235, 235)
FAINT = (150, 150, 150)
MARK = (255, 190, 60)
BACK = (24, 24, 28)
BAR_MM = 50
BLACK = 0.02  # of the presentation range: no tissue and no film is darker
MARKS = (
    "At a box: the finding's number and the model's probability of it, that of its most probable place on any view. "
    "It is not the risk of cancer."
)
"""What a reader of marked views must know of the marks."""
Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mark:
    """A box on one view, in pixels of the original image, with a short label."""

    box: ViewBox
    label: str


@dataclass(frozen=True)
class ImagePart:
    """A part of an image, in its pixels; `right` and `bottom` are past the last one."""

    left: float
    top: float
    right: float
    bottom: float


def finding_marks(findings: Sequence[Finding]) -> list[Mark]:
    """A mark a box of every finding: the finding's number, and its probability in percent."""
    return [
        Mark(box=box, label=str(number) if finding.probability is None else f"{number}  {finding.probability:.0%}")
        for number, finding in enumerate(findings, 1)
        for box in finding.boxes
    ]


def mark_legend(finding: Finding) -> str:
    """What a finding's marks are, and how probable."""
    place = "" if finding.boxes else ", not located"
    probability = "" if finding.probability is None else f", probability {finding.probability:.0%}"
    return f"{describe_finding(finding)}{probability}{place}"


Choose = Callable[[Mammogram, Pixels], ImagePart]
"""Which part of a view is drawn, by its pixels."""


def whole_image(mammogram: Mammogram, _: Pixels) -> ImagePart:
    """All of a view: labels and borders too."""
    return ImagePart(0, 0, mammogram.columns, mammogram.rows)


def around_breast(mammogram: Mammogram, pixels: Pixels) -> ImagePart:
    """The breast with a margin, from the chest wall on: what a reader looks at. Black padding behind it is no part."""
    rows, columns = breast_extent(pixels, mammogram.laterality)
    margin = MARGIN * (rows.stop - rows.start)
    at_right = mammogram.laterality is Laterality.RIGHT
    behind = pixels[rows, columns.stop :] if at_right else pixels[rows, : columns.start]
    padded = behind.size > 0 and float(np.percentile(behind, 99)) < BLACK
    return ImagePart(
        max(0.0, columns.start - margin) if at_right else (columns.start if padded else 0.0),
        max(0.0, rows.start - margin),
        (columns.stop if padded else mammogram.columns) if at_right else min(mammogram.columns, columns.stop + margin),
        min(mammogram.rows, rows.stop + margin),
    )


def contact_sheet(study: Study, marks: Sequence[Mark] = (), choose: Choose = whole_image) -> Image.Image:
    """All views of a study: rows of right and left, CC above MLO above any other projection.

    Raises:
        ImagingError: a view's file is missing or not readable.
    """
    tiles = draw_views(study, marks, choose)
    width = next(iter(tiles.values())).width
    rows = list(dict.fromkeys(view for _, view in tiles))
    sheet = Image.new("RGB", (2 * width + GAP, len(rows) * (HEIGHT + GAP) - GAP), BACK)
    for (side, view), tile in tiles.items():
        column = list(Laterality).index(side)
        sheet.paste(tile, (column * (width + GAP), rows.index(view) * (HEIGHT + GAP)))
    return sheet


def draw_views(
    study: Study, marks: Sequence[Mark] = (), choose: Choose = whole_image
) -> dict[tuple[Laterality, View], Image.Image]:
    """A tile a view, all of one size, in hanging order; CC and MLO of both sides always have one.

    Right and left of a projection are drawn at one scale: of mm where both spacings are known, else as if both images
    were equally high.

    Raises:
        ImagingError: a view's file is missing or not readable.
    """
    rows = []
    for view, pair in _rows(study):
        in_mm = all(m.pixel_spacing_mm for m in pair.values())
        drawn = {side: _Cropped.of(m, marks, choose, in_mm) for side, m in pair.items()}
        rows.append((view, drawn, _scale(drawn)))
    widths = [crop.size_at(scale)[0] for _, drawn, scale in rows for crop in drawn.values()]
    width = max(NARROWEST, *widths) if widths else NARROWEST
    return {
        (side, view): _tile((side, view), drawn.get(side), scale, width)
        for view, drawn, scale in rows
        for side in Laterality
    }


@dataclass(frozen=True)
class _Cropped:
    """The part of a view that is drawn: grey values, marks, and the size of its pixels, in mm or in image heights."""

    grey: Image.Image
    part: ImagePart
    pitch: tuple[float, float]
    in_mm: bool
    marks: tuple[Mark, ...]

    @staticmethod
    def of(mammogram: Mammogram, marks: Sequence[Mark], choose: Choose, in_mm: bool) -> _Cropped:
        """The chosen part of a view, with all marks on it."""
        pixels = mammogram.pixels()
        own = tuple(m for m in marks if (m.box.laterality, m.box.view) == (mammogram.laterality, mammogram.view))
        part = _with_marks(choose(mammogram, pixels), own, pixels.shape)
        inside = pixels[int(part.top) : round(part.bottom), int(part.left) : round(part.right)]
        spacing = mammogram.pixel_spacing_mm
        pitch = (spacing[1], spacing[0]) if spacing and in_mm else (1 / mammogram.rows, 1 / mammogram.rows)
        grey = Image.fromarray(np.rint(inside * 255).astype(np.uint8))
        return _Cropped(grey, part, pitch, in_mm, own)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in the unit of the pitch."""
        return self.grey.width * self.pitch[0], self.grey.height * self.pitch[1]

    def size_at(self, scale: float) -> tuple[int, int]:
        """Width and height on the sheet."""
        return max(1, round(self.size[0] * scale)), max(1, round(self.size[1] * scale))


def _with_marks(part: ImagePart, marks: Sequence[Mark], shape: tuple[int, ...]) -> ImagePart:
    """A part that holds all marks, inside the image."""
    boxes: list[ImagePart | ViewBox] = [part, *(mark.box for mark in marks)]
    return ImagePart(
        max(0.0, min(box.left for box in boxes)),
        max(0.0, min(box.top for box in boxes)),
        min(float(shape[1]), max(box.right for box in boxes)),
        min(float(shape[0]), max(box.bottom for box in boxes)),
    )


def _rows(study: Study) -> Iterator[tuple[View, dict[Laterality, Mammogram]]]:
    """Views in hanging order, each with the breasts that have it; CC and MLO always have a row."""
    order = [View.CC, View.MLO] + [v for v in View if v not in (View.CC, View.MLO)]
    for view in order:
        pair = {m.laterality: m for m in study.mammograms if m.view is view}
        if pair or view in (View.CC, View.MLO):
            yield view, pair


def _scale(pair: Mapping[Laterality, _Cropped]) -> float:
    """Sheet pixels a unit of the pitch, so that every view of a pair fits its tile."""
    return min((s for crop in pair.values() for s in (WIDEST / crop.size[0], HEIGHT / crop.size[1])), default=1.0)


def _tile(name: tuple[Laterality, View], crop: _Cropped | None, scale: float, width: int) -> Image.Image:
    """One view against its chest wall, with its marks; a missing view is labelled as such."""
    tile = Image.new("RGB", (width, HEIGHT), (0, 0, 0))
    draw = ImageDraw.Draw(tile)
    side, view = name
    at_right = side is Laterality.RIGHT  # a right breast hangs with its chest wall at the right
    if crop is None:
        middle = (width / 2, HEIGHT / 2)
        draw.text(middle, f"{side}{view}\nnot in the study", INK, _font(18), anchor="mm", align="center")
        return tile
    size = crop.size_at(scale)
    corner = (width - size[0] if at_right else 0, (HEIGHT - size[1]) // 2)
    kind = Image.Resampling.BOX if size[1] < crop.grey.height else Image.Resampling.BICUBIC
    tile.paste(crop.grey.resize(size, kind).convert("RGB"), corner)
    for mark in crop.marks:
        _draw_mark(draw, mark, crop, (corner, size, tile.size))
    where, anchor = ((10, 8), "la") if at_right else ((width - 10, 8), "ra")
    _write(draw, where, f"{side}{view}", (20, INK, anchor))
    if crop.in_mm:
        _draw_bar(draw, BAR_MM * scale, at_right, width)
    return tile


def _draw_bar(draw: ImageDraw.ImageDraw, length: float, at_right: bool, width: int) -> None:
    """A bar of 5 cm at the lower outer corner: pairs are drawn at scales of their own."""
    left = 12.0 if at_right else width - 12 - length
    y = HEIGHT - 12
    draw.line((left, y, left + length, y), fill=FAINT, width=2)
    _write(draw, (left + length / 2, y - 5), f"{BAR_MM // 10} cm", (12, FAINT, "mb"))


def _draw_mark(
    draw: ImageDraw.ImageDraw,
    mark: Mark,
    crop: _Cropped,
    place: tuple[tuple[int, int], tuple[int, int], tuple[int, int]],
) -> None:
    """A rounded box with its label under it, inside the tile; `place` is the view's corner and size, and the tile's."""
    (left, top), (width, height), (whole, full) = place
    across, down = width / crop.grey.width, height / crop.grey.height
    box, part = mark.box, crop.part
    corners = (
        max(1.0, left + (box.left - int(part.left)) * across - 3),
        max(1.0, top + (box.top - int(part.top)) * down - 3),
        min(whole - 2.0, left + (box.right - int(part.left)) * across + 3),
        min(full - 2.0, top + (box.bottom - int(part.top)) * down + 3),
    )
    if corners[2] <= corners[0] or corners[3] <= corners[1]:
        return
    draw.rounded_rectangle(corners, 4, outline=MARK, width=2)
    at_right = corners[2] > whole - 90
    below = corners[3] + 3 if corners[3] < full - 22 else corners[1] - 20
    where = (corners[2] if at_right else corners[0], below)
    _write(draw, where, mark.label, (15, MARK, "ra" if at_right else "la"))


def _write(
    draw: ImageDraw.ImageDraw, where: tuple[float, float], text: str, how: tuple[int, tuple[int, int, int], str]
) -> None:
    """A text with a dark edge, so that it is read on tissue too; `how` is size, colour and anchor."""
    size, colour, anchor = how
    draw.text(where, text, colour, _font(size), anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
