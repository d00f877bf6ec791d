"""An image as it is displayed: presentation values are made a strip of rows at a time, where they are needed.

A view of full size has 5 to 30 million pixels, a model takes a quarter of a million. So the stored integers are kept as
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

STRIP = 2**17  # pixels of a strip: half a MiB of float32, which stays in a core's cache
_LARGEST_TABLE = 2  # bytes of a stored value that a table is made for
_MODE, _FLOAT = "F", "F;32NF"  # Pillow's names for float32, here and in bytes of the machine's own order


def levels_of(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What `stored` may hold, to be displayed: for integers of up to 16 bits every value from the least to the greatest
    of the image, once; else the image itself.
    """
    if _has_table(stored):
        return np.arange(int(stored.min()), int(stored.max()) + 1).astype(stored.dtype)
    return stored


def _has_table(stored: npt.NDArray[Any]) -> bool:
    return stored.dtype.kind in "iu" and stored.dtype.itemsize <= _LARGEST_TABLE


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

    def half_shape(self, axis: int, shape: tuple[int, int]) -> tuple[int, int]:
        """The shape of an image that is reduced along one axis alone, in strips across the other."""
        return (shape[0], self.size[0]) if axis == 0 else (self.size[1], shape[1])


@dataclass(frozen=True, eq=False)
class PresentationImage:
    """Presentation values float32 [H, W] in 0..1, as codes and the value that each code is displayed as.

    `codes` is unsigned [H, W] with `table` float32, one entry a code; or, without a table, the values themselves.
    What is `hidden`, bool [H, W], is displayed as 0.
    """

    codes: npt.NDArray[Any]
    table: Pixels | None = None
    hidden: Mask | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of_levels(cls, stored: npt.NDArray[Any], displayed: Pixels, hidden: Mask | None = None) -> PresentationImage:
        """The image of stored values, from what each of `levels_of` them is displayed as."""
        if not _has_table(stored):
            return cls(displayed, None, hidden)
        native = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        code = np.dtype(f"u{native.dtype.itemsize}")
        table = np.zeros(2 ** (8 * native.dtype.itemsize), np.float32)
        table[levels_of(native).view(code)] = displayed
        return cls(native.view(code), table, hidden)

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

    def columns(self, start: int) -> PresentationImage:
        """The image from a column on."""
        hidden = None if self.hidden is None else self.hidden[:, start:]
        return PresentationImage(self.codes[:, start:], self.table, hidden)

    def pixels(self) -> Pixels:
        """All of it: float32 [H, W]."""
        return self._display(self.codes, self.hidden)

    def every(self, step: int) -> Pixels:
        """Every so many pixels of every so many rows."""
        return self._display(self.codes[::step, ::step], None if self.hidden is None else self.hidden[::step, ::step])

    def strips(self, axis: int = 0, span: slice = slice(None)) -> Iterator[tuple[slice, Pixels]]:
        """Strips across an axis: of whole rows (0) or whole columns (1), within a span, each with where it lies."""
        start, stop, _ = span.indices(self.shape[axis])
        thick = max(1, STRIP // self.shape[1 - axis])
        for first in range(start, stop, thick):
            lines = slice(first, min(first + thick, stop))
            at = (lines, slice(None)) if axis == 0 else (slice(None), lines)
            yield lines, self._display(self.codes[at], None if self.hidden is None else self.hidden[at])

    def _display(self, codes: npt.NDArray[Any], hidden: Mask | None) -> Pixels:
        if self.table is not None:
            values = np.take(self.table, codes, mode="clip")  # no code is beyond the table: it is not searched for one
        else:
            values = np.array(codes, np.float32, order="C", copy=None if hidden is None else True)
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
        """The whole image at a size, width and height, kept for the next who asks; see `ResizedPart`."""
        part = ResizedPart(size, (0, 0, self.shape[1], self.shape[0]))
        return self.kept(part, lambda: self.resample([part])[0])

    def kept(self, name: Hashable, make: Callable[[], T]) -> T:
        """What is made of this image, once: kept under its name for the next who asks."""
        if name not in self._kept:
            self._kept[name] = make()
        found: T = self._kept[name]
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
        halves = [np.zeros(part.half_shape(axis, self.shape), np.float32) for part in parts]
        strip = Image.new(_MODE, (0, 0))
        every = slice(min(span.start for span in spans), max(span.stop for span in spans))
        for lines, values in self.strips(axis, every):
            if strip.size != values.shape[::-1]:
                strip = Image.new(_MODE, values.shape[::-1], None)
            strip.frombytes(values, "raw", _FLOAT)
            for part, span, half in zip(parts, spans, halves, strict=True):
                if lines.start < span.stop and lines.stop > span.start:
                    half[(lines,) if axis == 0 else (slice(None), lines)] = _along(part, strip, 1 - axis)
        for part, half in zip(parts, halves, strict=True):
            whole = Image.frombytes(_MODE, half.shape[::-1], half, "raw", _FLOAT)
            yield _along(part, whole, axis)


def as_image(picture: PresentationImage | Pixels) -> PresentationImage:
    """An array of presentation values as an image; an image as it is."""
    return picture if isinstance(picture, PresentationImage) else PresentationImage(picture)


def _in_range(values: Pixels) -> bool:
    return bool(values.min() >= 0 and values.max() <= 1)  # false for a value that is no number


def _along(part: ResizedPart, image: Image.Image, axis: int) -> Pixels:
    """An image resized along its columns (0) or its rows (1) alone, as a part asks."""
    width, height = image.size
    left, top, right, bottom = part.box
    if axis == 0:
        made = image.resize((width, part.size[1]), part.kind, box=(0, top, width, bottom))
    else:
        made = image.resize((part.size[0], height), part.kind, box=(left, 0, right, height))
    return np.asarray(made, np.float32)
