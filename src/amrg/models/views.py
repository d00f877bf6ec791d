"""From a framed breast to the image that a model takes: which channels, which side the chest wall hangs on."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from amrg.birads import Laterality, View, ViewBox
from amrg.core.values import Value
from amrg.imaging import FramedBreast, Mammogram, frame_breast

STRETCHED_BY = 64  # rows that the range of a breast is measured on


class Channels(StrEnum):
    """What the three channels of the image hold."""

    GREY = "grey"  # the presentation values, three times
    LAYERS = "layers"  # presentation, the breast's range stretched; local contrast; small bright things


class Hanging(StrEnum):
    """How the image is oriented: as a radiologist hangs it, or every chest wall at the left."""

    NATURAL = "natural"
    CHEST_WALL_LEFT = "chest wall left"


class ViewEncoding(Value):
    """How a model takes its images: side in pixels, channels, hanging."""

    size: int = Field(ge=32, le=4096)
    channels: Channels = Channels.GREY
    hanging: Hanging = Hanging.NATURAL


def frame_for(mammogram: Mammogram, encoding: ViewEncoding) -> FramedBreast:
    """Read one mammogram and frame its breast for a model."""
    return frame_breast(mammogram.image(), mammogram.laterality, encoding.size)


def model_image(framed: FramedBreast, laterality: Laterality, encoding: ViewEncoding) -> npt.NDArray[np.uint8]:
    """The image that a model takes: uint8 [size, size, 3]."""
    if encoding.channels is Channels.LAYERS:
        chosen = (stretched(framed), framed.contrast, framed.detail)
    else:
        chosen = (framed.pixels, framed.pixels, framed.pixels)
    stacked = np.stack([np.rint(np.clip(layer, 0.0, 1.0) * 255).astype(np.uint8) for layer in chosen], -1)
    if _is_mirrored(laterality, encoding):
        stacked = stacked[:, ::-1]
    return np.ascontiguousarray(stacked)


def stretched(framed: FramedBreast) -> npt.NDArray[np.float32]:
    """Presentation values with the breast's own range stretched to 0.05..1: exposure matters less."""
    rows = slice(None, None, max(1, len(framed.pixels) // STRETCHED_BY))  # whole rows: mirrored, the same values
    inside = framed.pixels[rows][framed.breast[rows]]
    if inside.size == 0:
        return framed.pixels
    low, high = np.percentile(inside, (1.0, 99.5))
    tone = 0.05 + 0.95 * (framed.pixels - low) / max(1e-3, high - low)
    return np.where(framed.breast, np.clip(tone, 0.02, 1.0), 0.0).astype(np.float32)


def to_pil(array: npt.NDArray[np.uint8]) -> Image.Image:
    """The image as Pillow's image, which processors take."""
    return Image.fromarray(array, mode="RGB")


def box_to_image(box: ViewBox, framed: FramedBreast, encoding: ViewEncoding) -> tuple[float, float, float, float]:
    """A box of the original image in the pixels of the model's image: left, top, right, bottom."""
    left, top = framed.to_framed(box.left, box.top)
    right, bottom = framed.to_framed(box.right, box.bottom)
    left, right = sorted((left, right))
    top, bottom = sorted((top, bottom))
    if _is_mirrored(box.laterality, encoding):
        left, right = encoding.size - right, encoding.size - left
    return left, top, right, bottom


def box_from_image(
    edges: tuple[float, float, float, float],
    view: tuple[Laterality, View],
    framed: FramedBreast,
    encoding: ViewEncoding,
) -> ViewBox:
    """The inverse: edges in the model's image as a box on the original image."""
    left, top, right, bottom = edges
    if _is_mirrored(view[0], encoding):
        left, right = encoding.size - right, encoding.size - left
    x = sorted((framed.to_original(left, top)[0], framed.to_original(right, bottom)[0]))
    y = sorted((framed.to_original(left, top)[1], framed.to_original(right, bottom)[1]))
    return ViewBox(laterality=view[0], view=view[1], left=x[0], top=y[0], right=x[1], bottom=y[1])


def _is_mirrored(laterality: Laterality, encoding: ViewEncoding) -> bool:
    """Whether the natural hanging (chest wall at the right for the right breast) must be mirrored."""
    return encoding.hanging is Hanging.CHEST_WALL_LEFT and laterality is Laterality.RIGHT
