"""RLE Lossless (PS3.5 annex G) of grey images by Pillow's decoder of the same scheme: PackBits, in native code."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

_HEADER = struct.Struct("<16L")  # number of segments, then where each begins


def decode_rle(dataset: Dataset) -> npt.NDArray[Any] | None:
    """Stored values [rows, columns] of an Image Pixel module; None for what another decoder must judge.

    That is: colour, several frames, signed values, bits above Bits Stored, and everything that is damaged.
    """
    size = dataset.BitsAllocated // 8
    if size not in (1, 2) or dataset.SamplesPerPixel != 1 or dataset.NumberOfFrames != 1 or dataset.PixelRepresentation:
        return None
    try:
        (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
        count, *starts = _HEADER.unpack_from(frame)
        if count != size:
            return None
        ends = [*starts[1:count], len(frame)]
        planes = [_unpack(frame[a:b], dataset) for a, b in zip(starts, ends, strict=False)]
    except (ValueError, OSError, struct.error):
        return None
    values = np.empty((dataset.Rows, dataset.Columns, size), np.uint8)
    for byte, plane in enumerate(planes):  # the most significant byte is first
        values[..., size - 1 - byte] = plane
    stored = values.view(f"<u{size}")[..., 0]
    return None if int(stored.max()) >= 2**dataset.BitsStored else stored


def _unpack(segment: bytes, dataset: Dataset) -> npt.NDArray[np.uint8]:
    """The bytes of one segment, as one line, so that a run may cross the ends of rows.

    Raises:
        ValueError: it has too few.
    """
    line = Image.new("L", (dataset.Rows * dataset.Columns, 1), None)
    line.frombytes(segment, "packbits", "L")
    return np.asarray(line).reshape(dataset.Rows, dataset.Columns)
