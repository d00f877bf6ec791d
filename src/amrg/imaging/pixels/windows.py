"""Windows of PS3.3 C.11.2.1.2 and their functions, C.11.2.1.3, by the nearest lawful meaning of what a file states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amrg.imaging.header import Header

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """Centre, width and VOI LUT Function (0028,1056)."""

    center: float
    width: float
    function: str = "LINEAR"

    def apply(self, values: Values) -> Values:
        """Values to 0..1.

        Raises:
            ValueError: a function or a width that the standard does not have.
        """
        return window(values, self.center, self.width, self.function)


def window(values: Values, center: float, width: float, function: str = "LINEAR") -> Values:
    """Window values to 0..1 by VOI LUT Function (0028,1056).

    Raises:
        ValueError: a function other than LINEAR, LINEAR_EXACT and SIGMOID, or a width the function does not allow.
    """
    if width < 1 if function == "LINEAR" else width <= 0:
        expected = "1 or more" if function == "LINEAR" else "more than 0"
        raise ValueError(f"(0028,1051) Window Width is {width:g}; expected {expected} for {function}")
    if function == "SIGMOID":  # PS3.3 C.11.2.1.3.1
        with np.errstate(over="ignore"):  # far below the centre: 1 over infinity is 0
            return np.asarray(1 / (1 + np.exp(-4 * (values - center) / width)), np.float32)
    if function == "LINEAR_EXACT":  # PS3.3 C.11.2.1.3.2
        return clip((values - center) / np.float32(width) + np.float32(0.5))
    if function == "LINEAR":  # PS3.3 C.11.2.1.2.1; a width of 1 is a threshold
        if width == 1:
            return np.asarray(values > center - 0.5, np.float32)
        return clip((values - np.float32(center - 0.5)) / np.float32(width - 1) + np.float32(0.5))
    raise ValueError(f"(0028,1056) VOI LUT Function is {function!r}; expected LINEAR, LINEAR_EXACT or SIGMOID")


def windows_in(header: Header, notes: list[str]) -> Iterator[Window]:
    """The usable windows in their order; what had to be read otherwise than it stands, or is skipped, is noted."""
    centers, widths = header.numbers("WindowCenter"), header.numbers("WindowWidth")
    if any("," in text for keyword in ("WindowCenter", "WindowWidth") for text in header.texts(keyword)):
        notes.append("(0028,1050) Window Center and Width: a decimal comma, read as a point")
    stated = len(header.texts("WindowCenter")), len(header.texts("WindowWidth"))
    if stated[0] != stated[1] and any(stated):
        notes.append(f"(0028,1050) Window Center has {stated[0]} values, (0028,1051) Window Width {stated[1]}")
    for number, (center, width) in enumerate(zip(centers, widths, strict=False), 1):
        function = _function(header, number, notes)
        if center is None or width is None:
            notes.append(f"window {number} is no number: ignored")
        elif width < 1e-6:  # 0, negative, or too narrow for float32
            notes.append(f"window {number} has a width of {width:g}: ignored")
        elif function == "LINEAR" and width < 1:
            notes.append(f"window {number} has a width of {width:g}: read as LINEAR_EXACT")
            yield Window(center, width, "LINEAR_EXACT")
        else:
            yield Window(center, width, function)


def _function(header: Header, number: int, notes: list[str]) -> str:
    """VOI LUT Function of a window: one for all (VM 1), or, as some write it, one for each."""
    stated = [text.upper() for text in header.texts("VOILUTFunction") if text]
    if not stated:
        return "LINEAR"
    found = stated[min(number, len(stated)) - 1]
    if found in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        return found
    nearest = "SIGMOID" if "SIGMOID" in found else "LINEAR_EXACT" if "EXACT" in found else "LINEAR"
    notes.append(f"(0028,1056) VOI LUT Function is {found[:40]!r}: read as {nearest}")
    return nearest


def clip(values: npt.NDArray[np.floating]) -> Values:
    """Cut to 0..1."""
    return np.asarray(np.clip(values, 0, 1), np.float32)
