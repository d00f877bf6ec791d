"""From stored pixel values to presentation values in 0..1, in the order that PS3.3 C.7.6.3 and C.11 give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

Values = npt.NDArray[np.float32]


def presentation(stored: npt.NDArray[np.generic], header: Dataset) -> tuple[Values, tuple[str, ...]]:
    """Stored values [H, W] to presentation values in 0..1, bright = dense, and notes on what was assumed.

    Modality LUT or rescale; then VOI LUT Sequence, else the first window, else the image's own range; then
    inversion for MONOCHROME1 (PS3.3 C.7.6.3.1.2) or Presentation LUT Shape INVERSE (C.11.6), never for both.
    """
    values = np.asarray(apply_modality_lut(stored, header), np.float32)
    if str(header.get("PresentationIntentType", "")).upper() == "FOR PROCESSING":
        return _develop(values), ("For Processing: displayed as the inverted logarithm of the exposure",)
    notes: tuple[str, ...] = ()
    if header.get("VOILUTSequence"):
        displayed = _voi_table(values, header.VOILUTSequence[0])
    elif header.get("WindowCenter") is not None and header.get("WindowWidth") is not None:
        displayed = window(values, *_first_window(header))
    else:
        displayed = _own_range(values)
        notes = ("no window in the file: displayed over its own range of values",)
    inverse = header.get("PhotometricInterpretation") == "MONOCHROME1"
    inverse |= str(header.get("PresentationLUTShape", "")).upper() == "INVERSE"
    return (1 - displayed if inverse else displayed), notes


def window(values: Values, center: float, width: float, function: str = "LINEAR") -> Values:
    """Window values to 0..1 by VOI LUT Function (0028,1056).

    Raises:
        ValueError: a function other than LINEAR, LINEAR_EXACT and SIGMOID, or a width the function does not allow.
    """
    if width < 1 if function == "LINEAR" else width <= 0:
        expected = "1 or more" if function == "LINEAR" else "more than 0"
        raise ValueError(f"(0028,1051) Window Width is {width:g}; expected {expected} for {function}")
    if function == "SIGMOID":  # PS3.3 C.11.2.1.3.1
        return np.asarray(1 / (1 + np.exp(-4 * (values - center) / width)), np.float32)
    if function == "LINEAR_EXACT":  # PS3.3 C.11.2.1.3.2
        return _clip((values - center) / np.float32(width) + np.float32(0.5))
    if function == "LINEAR":  # PS3.3 C.11.2.1.2.1; a width of 1 is a threshold
        if width == 1:
            return np.asarray(values > center - 0.5, np.float32)
        return _clip((values - np.float32(center - 0.5)) / np.float32(width - 1) + np.float32(0.5))
    raise ValueError(f"(0028,1056) VOI LUT Function is {function!r}; expected LINEAR, LINEAR_EXACT or SIGMOID")


def _clip(values: npt.NDArray[np.floating]) -> Values:
    """Cut to 0..1."""
    return np.asarray(np.clip(values, 0, 1), np.float32)


def _first_window(header: Dataset) -> tuple[float, float, str]:
    """The first of the windows, with its function."""

    def first(value: object) -> float:
        many = value if isinstance(value, (list, tuple)) or hasattr(value, "__getitem__") else [value]
        return float(many[0])

    function = str(header.get("VOILUTFunction") or "LINEAR").strip().upper()
    return first(header.WindowCenter), first(header.WindowWidth), function


def _voi_table(values: Values, item: Dataset) -> Values:
    """VOI LUT Sequence (PS3.3 C.11.2.1.1): entries below the first and above the last take the end entries."""
    count, first, bits = (int(x) for x in item.LUTDescriptor)
    raw = item.LUTData
    table = np.frombuffer(raw, np.uint16) if isinstance(raw, bytes) else np.asarray(raw)
    table = table[: count or 65536].astype(np.float32) / float(2**bits - 1)
    index = np.clip(np.rint(values).astype(np.int64) - first, 0, len(table) - 1)
    return _clip(table[index])


def _own_range(values: Values) -> Values:
    """From the lowest value to the 99.9th percentile: a label burnt in does not darken the breast."""
    sample = values[::8, ::8]
    low, high = float(sample.min()), float(np.percentile(sample, 99.9))
    return _clip((values - low) / max(1e-6, high - low))


def _develop(values: Values) -> Values:
    """A raw detector image as a presentation image: more exposure is darker, in logarithms."""
    log = np.log(np.maximum(values, 1.0))
    low, high = np.percentile(log[::8, ::8], (0.5, 99.5))
    return _clip((high - log) / max(1e-6, float(high - low)))
