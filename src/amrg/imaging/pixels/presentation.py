"""From stored pixel values to presentation values in 0..1, in the order that PS3.3 C.7.6.3 and C.11 give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from amrg.imaging.header import Header, is_for_processing
from amrg.imaging.image import PresentationImage, StoredValues
from amrg.imaging.pixels.outside import is_inverse, outside_image
from amrg.imaging.pixels.polarity import NEGATIVE, is_negative
from amrg.imaging.pixels.tables import LookupTable, table_in
from amrg.imaging.pixels.windows import clip, windows_in

Values = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_LEAST_GREY = 0.2  # of the breast
"""Under windows over half of the values of their breast 1,600 real mammograms have more, over the top tenth 2 have."""


@dataclass(frozen=True)
class _Display:
    """One way to display values, and its name for notes."""

    name: str
    apply: Callable[[Values], Values]


def presentation(pixels: npt.NDArray[Any], header: Header) -> tuple[PresentationImage, tuple[str, ...]]:
    """Stored values [H, W] to presentation values in 0..1, bright = dense, and notes on what was assumed.

    Modality LUT or rescale; then the first of VOI LUT Sequence, windows and the image's own range that shows anything;
    then inversion for MONOCHROME1 (PS3.3 C.7.6.3.1.2) or Presentation LUT Shape INVERSE (C.11.6), never for both.
    Padding, what is outside the collimator and frames of scanned films are 0, and count in no statistic. Every step
    takes a value by itself: it is applied to each value that there is, once.
    """
    notes: list[str] = []
    stored = _stored_bits(StoredValues.of(pixels), header, notes)
    outside = outside_image(stored, header, notes)
    values = _modality(stored.levels, header, notes)
    sample = _sample(stored.displayed_as(values), outside.uncounted)
    if is_for_processing(header):
        image = upright_polarity(stored, _develop(values, sample, header, notes), outside.hidden, notes)
    else:
        inverse = is_inverse(header)
        displayed = _display(values, sample, header, inverse, notes)
        other = partial(_display, values, sample, header, not inverse, [])
        image = upright_polarity(stored, displayed, outside.hidden, notes, other)
    return image, tuple(dict.fromkeys(notes))


def upright_polarity(
    stored: StoredValues,
    displayed: Values,
    hidden: Mask | None,
    notes: list[str],
    inverted: Callable[[], Values] | None = None,
) -> PresentationImage:
    """The image of stored values whose levels are `displayed` so, inverted where it is a negative, which is noted.

    `inverted` gives how they are displayed then; without it, as the complement.
    """
    if is_negative(stored.displayed_as(displayed), hidden):
        displayed = 1 - displayed if inverted is None else inverted()
        notes.append(NEGATIVE)
    return stored.displayed_as(displayed, hidden)


def _stored_bits(stored: StoredValues, header: Header, notes: list[str]) -> StoredValues:
    """The values at their stated bits (PS3.5 8.1.1): shifted down where High Bit is above Bits Stored.

    Overlays in unused bits (retired) are cut off; other values above Bits Stored are taken as they are.
    """
    bits, high = header.integer("BitsStored") or 0, header.integer("HighBit")
    pixels = stored.pixels
    if pixels.dtype.kind != "u" or not 0 < bits < 8 * pixels.dtype.itemsize or stored.ends[1] < 2**bits:
        return stored
    shift = 0 if high is None else high + 1 - bits
    if 0 < shift < 16 and not (pixels & (2**shift - 1)).any():
        notes.append(f"(0028,0102) High Bit is {high} with {bits} bits: values shifted down by {shift}")
        return StoredValues.of(np.right_shift(pixels, shift))
    if header.integer("OverlayBitPosition"):
        return StoredValues.of(np.bitwise_and(pixels, 2**bits - 1))
    notes.append(f"values above the {bits} bits of (0028,0101) Bits Stored are taken as they are")
    return stored


def _modality(stored: npt.NDArray[Any], header: Header, notes: list[str]) -> Values:
    """Modality LUT Sequence, else rescale (PS3.3 C.11.1); values that would make every pixel the same are ignored."""
    signed = header.integer("PixelRepresentation") == 1
    for item in header.sequence("ModalityLUTSequence"):
        if (table := table_in(item, signed)) is not None:
            return table.look_up(np.asarray(stored, np.float32))
        notes.append("(0028,3000) Modality LUT Sequence has no usable table: ignored")
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept")
    if slope == 0 or (slope is None and any(header.texts("RescaleSlope"))):
        notes.append(f"(0028,1053) Rescale Slope is {header.text('RescaleSlope')[:20]!r}: read as 1")
        slope = None
    if intercept is None and any(header.texts("RescaleIntercept")):
        notes.append(f"(0028,1052) Rescale Intercept is {header.text('RescaleIntercept')[:20]!r}: read as 0")
    if (slope or 1.0) == 1.0 and not intercept:
        return stored.astype(np.float32)
    rescaled = stored.astype(np.float64) * (slope or 1.0) + (intercept or 0.0)
    return np.clip(rescaled, -1e30, 1e30).astype(np.float32)


def _sample(values: PresentationImage, outside: Mask | None) -> Values:
    """Every eighth value of every eighth row, without those outside the image."""
    sample = values.every(8)
    if outside is None:
        return sample
    inside = sample[~outside[::8, ::8]]
    return inside if inside.size else sample


def _display(values: Values, sample: Values, header: Header, inverse: bool, notes: list[str]) -> Values:
    """By the first VOI that shows anything, inverted where low values are displayed white."""
    whole = _own_range(sample, inverse)
    chosen = None
    stated = list(_stated(sample, header, notes))
    for display in stated:
        missing = _what_it_lacks(display.apply(sample), whole(sample), inverse)
        if missing is None:
            chosen = display
            break
        notes.append(f"{display.name} shows {missing}: ignored")
    if chosen is None:
        usable = "usable " if header.texts("WindowCenter") or header.sequence("VOILUTSequence") else ""
        notes.append(f"no {usable}window in the file: displayed over its own range of values")
    displayed = chosen.apply(values) if chosen is not None else whole(values)
    return 1 - displayed if inverse else displayed


def _stated(sample: Values, header: Header, notes: list[str]) -> Iterator[_Display]:
    """The ways that the header states: tables first, then windows (PS3.3 C.11.2.1: either may be used)."""
    signed = bool(sample.min() < 0)
    for number, item in enumerate(header.sequence("VOILUTSequence"), 1):
        table = table_in(item, signed)
        if table is None:
            notes.append(f"(0028,3010) VOI LUT Sequence, item {number}, has no usable table: ignored")
        else:
            if table.white != 2**table.bits - 1:
                notes.append(
                    f"VOI LUT states {table.bits} bits, its entries reach {table.white:g}: their range is used"
                )
            yield _Display(f"VOI LUT {number}", _table_display(table))
    for window in windows_in(header, notes):
        yield _Display(f"window {window.center:g}/{window.width:g}", window.apply)


def _table_display(table: LookupTable) -> Callable[[Values], Values]:
    return lambda values: clip(table.look_up(values) / np.float32(table.white))


def _what_it_lacks(displayed: Values, whole: Values, inverse: bool) -> str | None:
    """How little a display shows of what the whole range does; None where it shows enough.

    One that shows nothing gives nearly one value to all that is not background, or only black and white. One that
    shows too little gives nearly all of the breast black or white, such as all but the muscle.
    """
    nothing = "nothing of the image"
    grey = (displayed > 0.004) & (displayed < 0.996)
    tissue = (whole > 0.004) & (whole < 0.996)
    if not tissue.any():
        return None  # two values only: no display does better
    if grey[tissue].mean() < 0.05:
        return nothing
    few = np.unique(displayed.ravel()[::16]).size <= 8  # with more in a part there are more in all
    if few and np.unique(displayed).size <= min(8, np.unique(whole).size // 2):
        return nothing
    low, high = np.percentile(displayed[tissue], (1, 99))
    if high - low < 0.1:
        return nothing
    breast = tissue & _above_background(1 - whole if inverse else whole)
    return "too little of the breast" if breast.any() and grey[breast].mean() < _LEAST_GREY else None


def _above_background(whole: Values) -> Mask:
    """What is brighter than the most common of the darker levels, by more than its noise."""
    counts, edges = np.histogram(whole, 128, (0.0, 1.0))
    level = float(edges[int(counts[:64].argmax()) + 1])
    dark = whole[whole <= level]
    noise = float(np.median(np.abs(dark - np.median(dark)))) if dark.size else 0.0
    return np.asarray(whole > level + max(0.02, 9 * noise))


def _own_range(sample: Values, inverse: bool) -> Callable[[Values], Values]:
    """From the darkest value to the brightest but a thousandth: a label burnt in does not darken the breast.

    Where low values are displayed white (`inverse`) these are the highest value and the 0.1st percentile.
    """
    least, most = float(sample.min()), float(sample.max())
    low, high = (float(np.percentile(sample, 0.1)), most) if inverse else (least, float(np.percentile(sample, 99.9)))
    if high <= low:  # less than a thousandth of the image is brighter
        low, high = least, most
    width = max(1e-6, high - low)
    return lambda values: _stretched(values, low, width)


def _stretched(values: Values, low: float, width: float) -> Values:
    """`low` to 0 and `low + width` to 1, in one copy of the image."""
    made = values - low
    made /= width
    return np.clip(made, 0, 1, out=made)


def _develop(values: Values, sample: Values, header: Header, notes: list[str]) -> Values:
    """A For Processing image as a presentation image, by Pixel Intensity Relationship and its Sign (PS3.3 C.8.11.3).

    (0028,1040): LIN is proportional to the exposure, LOG to its logarithm. (0028,1041): 1 where lower values are less
    exposure, -1 where they are more. Less exposure is denser, so brighter. Where the relationship is absent it is LIN;
    where the sign is absent it is -1 for LOG displayed bright (MONOCHROME2), else 1.
    """
    relationship = header.term("PixelIntensityRelationship") or "LIN"
    sign = header.number("PixelIntensityRelationshipSign")
    if sign not in (1, -1):
        bright = header.term("PhotometricInterpretation") != "MONOCHROME1"
        sign = -1 if relationship in ("LOG", "DISP") and bright else 1
    if relationship == "LIN" and sign == -1:
        top = float(sample.max())
        values, sample = top - values, top - sample  # back to exposure: more is more
    if relationship == "LIN":
        values, sample = np.log(np.maximum(values, 1.0)), np.log(np.maximum(sample, 1.0))
        notes.append("For Processing: displayed as the inverted logarithm of the exposure")
    elif sign == 1:
        notes.append(f"For Processing, {relationship}: displayed inverted")
    else:
        notes.append(f"For Processing, {relationship}, sign -1: displayed over its own range")
    low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
    width = max(1e-6, high - low)
    if relationship != "LIN" and sign == -1:
        return _stretched(values, low, width)
    return clip((high - values) / width)
