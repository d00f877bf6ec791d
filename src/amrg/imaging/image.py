"""An image as it is displayed: presentation values are made a strip of rows at a time, where they are needed.

A view of full size has 5 to 30 million pixels, a model takes a quarter of a million. So the stored integers stay as
they were decoded, beside a table of what each is displayed as, and a reduced copy is made without the whole image in
floating point. Every result is bit for bit that of the whole presentation image.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T")

STRIP = 2**16  # pixels of a strip: with their codes and copies they stay in the cache of a core
_LARGEST_CODE = 2  # bytes of a stored value that a table is made for
_MODE, _FLOAT = "F", "F;32NF"  # Pillow's names for float32, here and in bytes of the machine's own order


@dataclass(frozen=True, eq=False)
class StoredValues:
    """Decoded pixels [H, W], and all values that they may have: `levels`, each to be displayed once.

    For integers of up to 16 bits these are the values from the least to the greatest; else they are the pixels.
    """

    pixels: npt.NDArray[Any]
    levels: npt.NDArray[Any]

    @classmethod
    def of(cls, pixels: npt.NDArray[Any]) -> StoredValues:
        """Decoded pixels of any type of number."""
        if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > _LARGEST_CODE:
            return cls(pixels, pixels)
        native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        return cls(native, np.arange(int(native.min()), int(native.max()) + 1).astype(native.dtype))

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest value."""
        if self.levels is self.pixels:
            return float(self.levels.min()), float(self.levels.max())
        return float(self.levels[0]), float(self.levels[-1])

    def displayed_as(self, displayed: Pixels, hidden: Mask | None = None) -> PresentationImage:
        """The image of these values, from what each of the levels is displayed as."""
        if self.levels is self.pixels:
            return PresentationImage(displayed, None, hidden)
        code = np.dtype(f"u{self.pixels.dtype.itemsize}")
        table = np.zeros(2 ** (8 * code.itemsize), np.float32)
        table[self.levels.view(code)] = displayed
        return PresentationImage(self.pixels.view(code), table, hidden)


@dataclass(frozen=True)
class ResizedPart:
    """A part of an image at another size: `box` is left, top, right and bottom in its pixels, `size` width and height.

    `smooth` is for a size above the box's own: bilinear; else every pixel is the mean of those that it covers.
    """

    size: tuple[int, int]
    box: tuple[float, float, float, float]
    smooth: bool = False

    @property
    def kind(self) -> Image.Resampling:
        """Pillow's filter."""
        return Image.Resampling.BILINEAR if self.smooth else Image.Resampling.BOX

    def first_axis(self, shape: tuple[int, int]) -> int:
        """Whether an image of this shape is reduced along its rows first (0, in strips of rows) or its columns (1).

        Pillow's rule since 13; here it holds with any.
        """
        narrower, lower = shape[1] - self.size[0], shape[0] - self.size[1]
        return int(lower > 0 and lower > 2 * narrower)

    def lines_needed(self, axis: int, length: int) -> slice:
        """The rows (axis 0) or columns (1) of an image that the part is made of, with those that its filter reaches."""
        low, high, size = self.box[1 - axis], self.box[3 - axis], self.size[1 - axis]
        reach = 1 + ceil(max(1.0, (high - low) / size))
        return slice(max(0, floor(low) - reach), min(length, ceil(high) + reach))

    def half_size(self, axis: int, shape: tuple[int, int]) -> tuple[int, int]:
        """Width and height of an image of this shape that is reduced along its rows (0) or columns (1) alone."""
        return (self.size[0], shape[0]) if axis == 0 else (shape[1], self.size[1])


@dataclass(frozen=True, eq=False)
class PresentationImage:
    """Presentation values float32 [H, W] in 0..1, as codes and the value that each code is displayed as.

    `codes` is unsigned [H, W] with `table` float32, one entry a code; or, without a table, the values themselves.
    What is `hidden`, bool [H, W], is displayed as 0.
    """

    codes: npt.NDArray[Any]
    table: Pixels | None = None
    hidden: Mask | None = None
    _cached: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.codes.shape[0], self.codes.shape[1]

    def is_valid(self) -> bool:
        """Whether every value is a number in 0..1; levels that no pixel has are not held against it."""
        return (self.table is not None and _in_range(self.table)) or all(_in_range(rows) for _, rows in self.strips())

    def hung(self, turned: int, flipped: bool) -> PresentationImage:
        """The image turned by quarters counter-clockwise, then mirrored left to right; itself where neither."""
        if not turned and not flipped:
            return self
        step = -1 if flipped else 1
        hidden = None if self.hidden is None else np.rot90(self.hidden, turned)[:, ::step]
        return PresentationImage(np.rot90(self.codes, turned)[:, ::step], self.table, hidden)

    def mirrored(self) -> PresentationImage:
        """The image mirrored left to right, made once: what it caches is there for the next who asks."""
        return self.cached("mirrored", lambda: self.hung(0, flipped=True))

    def columns(self, start: int) -> PresentationImage:
        """The image from a column on."""
        hidden = None if self.hidden is None else self.hidden[:, start:]
        return PresentationImage(self.codes[:, start:], self.table, hidden)

    def pixels(self) -> Pixels:
        """All of it: float32 [H, W]."""
        whole = np.empty(self.shape, np.float32)
        for lines, values in self.strips():
            whole[lines] = values
        return whole

    def every(self, step: int) -> Pixels:
        """Every so many pixels of every so many rows."""
        return self._display(self.codes[::step, ::step], None if self.hidden is None else self.hidden[::step, ::step])

    def strips(self, axis: int = 0, span: slice = slice(None)) -> Iterator[tuple[slice, Pixels]]:
        """Strips across an axis: of whole rows (0) or whole columns (1), within a span, each with where it lies.

        A strip is overwritten by the next.
        """
        start, stop, _ = span.indices(self.shape[axis])
        thick = max(1, STRIP // self.shape[1 - axis])
        room = np.empty(min(thick, stop - start) * self.shape[1 - axis], np.float32)
        for first in range(start, stop, thick):
            lines = slice(first, min(first + thick, stop))
            at = (lines, slice(None)) if axis == 0 else (slice(None), lines)
            codes = self.codes[at]
            hidden = None if self.hidden is None else self.hidden[at]
            yield lines, self._display(codes, hidden, room[: codes.size].reshape(codes.shape))

    def _display(self, codes: npt.NDArray[Any], hidden: Mask | None, values: Pixels | None = None) -> Pixels:
        """What codes are displayed as, written into `values` where that is given."""
        values = np.empty(codes.shape, np.float32) if values is None else values
        if self.table is None:
            np.copyto(values, codes, casting="same_kind")
        else:
            self.table.take(codes, out=values, mode="clip")  # no code is beyond the table: it is not searched for one
        if hidden is not None:
            np.putmask(values, hidden, np.float32(0))
        return values

    def spread_of_columns(self, count: int) -> Pixels:
        """Greatest less least value of each of the first columns: float32 [count]."""
        least, greatest = self._ends(count) or self._strip_ends(count)
        return greatest - least

    def _ends(self, count: int) -> tuple[Pixels, Pixels] | None:
        """Least and greatest values of columns, by their codes: None where codes are not in the order of values."""
        if self.table is None or self.hidden is not None:
            return None
        codes = self.codes[:, :count]
        first, last = codes.min(0), codes.max(0)
        steps = np.diff(self.table[int(first.min()) : int(last.max()) + 1])
        if (steps >= 0).all():
            return self.table[first], self.table[last]
        return (self.table[last], self.table[first]) if (steps <= 0).all() else None

    def _strip_ends(self, count: int) -> tuple[Pixels, Pixels]:
        """Least and greatest values of columns, by the values."""
        least, greatest = np.full(count, np.inf, np.float32), np.full(count, -np.inf, np.float32)
        for _, rows in self.strips():
            np.minimum(least, rows[:, :count].min(0), out=least)
            np.maximum(greatest, rows[:, :count].max(0), out=greatest)
        return least, greatest

    def reduced(self, size: tuple[int, int]) -> Pixels:
        """The whole image at a size, width and height, cached for the next who asks; see `ResizedPart`."""
        part = ResizedPart(size, (0, 0, self.shape[1], self.shape[0]))
        return self.cached(part, lambda: self.resample([part])[0])

    def cached(self, name: Hashable, make: Callable[[], T]) -> T:
        """What is made of this image, once: cached under its name for the next who asks."""
        if name not in self._cached:
            self._cached[name] = make()
        found: T = self._cached[name]
        return found

    def resample(self, parts: Sequence[ResizedPart]) -> list[Pixels]:
        """Parts of the image, each float32 [height, width]; those that begin along the same axis in one pass."""
        made: dict[ResizedPart, Pixels] = {}
        for axis in (0, 1):
            if group := [part for part in parts if part.first_axis(self.shape) == axis]:
                made |= zip(group, self._resample(group, axis), strict=True)
        return [made[part] for part in parts]

    def _resample(self, parts: Sequence[ResizedPart], axis: int) -> Iterator[Pixels]:
        """Reduce strips along their lines first, then what is left of all of them across: as Pillow does a whole image.

        So every number is reckoned by the same arithmetic in the same order.
        """
        spans = [part.lines_needed(axis, self.shape[axis]) for part in parts]
        halves = [Image.new(_MODE, part.half_size(axis, self.shape), None) for part in parts]
        strip = Image.new(_MODE, (0, 0))
        every = slice(min(span.start for span in spans), max(span.stop for span in spans))
        for lines, values in self.strips(axis, every):
            if strip.size != values.shape[::-1]:
                strip = Image.new(_MODE, values.shape[::-1], None)
            strip.frombytes(values, "raw", _FLOAT)
            for part, span, half in zip(parts, spans, halves, strict=True):
                if lines.start < span.stop and lines.stop > span.start:
                    half.paste(_along(part, strip, 1 - axis), (0, lines.start) if axis == 0 else (lines.start, 0))
        for part, half in zip(parts, halves, strict=True):
            yield np.asarray(_along(part, half, axis), np.float32)


def as_image(picture: PresentationImage | Pixels) -> PresentationImage:
    """An array of presentation values as an image; an image as it is."""
    return picture if isinstance(picture, PresentationImage) else PresentationImage(picture)


def _in_range(values: Pixels) -> bool:
    return bool(values.min() >= 0 and values.max() <= 1)  # false for a value that is no number


def _along(part: ResizedPart, image: Image.Image, axis: int) -> Image.Image:
    """An image resized along its columns (0) or its rows (1) alone, as a part asks."""
    width, height = image.size
    left, top, right, bottom = part.box
    if axis == 0:
        return image.resize((width, part.size[1]), part.kind, box=(0, top, width, bottom))
    return image.resize((part.size[0], height), part.kind, box=(left, 0, right, height))
