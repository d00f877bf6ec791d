"""Pixels of one file, decoded once and cached: presentation values in 0..1."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image, UnidentifiedImageError
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import pixel_array

from amrg.imaging.errors import ImagingError
from amrg.imaging.presentation import presentation

IMAGE_ENDINGS = frozenset({".png", ".tif", ".tiff", ".pgm", ".jpg", ".jpeg"})
MAX_SIDE = 16_384  # pixels; the largest mammograms made are under 8,000
MIN_SIDE = 64
Values = npt.NDArray[np.float32]


def read_header(path: Path) -> Dataset:
    """The header of a DICOM file, read leniently.

    Raises:
        ImagingError: not DICOM, or broken before its pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd values are checked where they matter
            return pydicom.dcmread(path, stop_before_pixels=True)
    except InvalidDicomError as error:
        raise ImagingError(
            f"{path.name}: not DICOM (no DICM prefix at byte 128); expected a DICOM file, PNG, TIFF, PGM or JPEG"
        ) from error
    except OSError as error:
        raise ImagingError(
            f"{path.name}: cannot be opened ({error.strerror or error}); check the file and its permissions"
        ) from error
    except Exception as error:  # pydicom raises what its parts raise on broken bytes
        raise ImagingError(f"{path.name}: damaged DICOM header ({_first_line(error)}); send the file again") from error


def refuse_absurd(name: str, rows: int, columns: int) -> None:
    """Refuse image sizes that no mammogram has, before memory is allocated.

    Raises:
        ImagingError: a side beyond the limits.
    """
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (rows, columns)):
        raise ImagingError(
            f"{name}: (0028,0010) Rows x (0028,0011) Columns is {rows} x {columns}; expected sides of "
            f"{MIN_SIDE} to {MAX_SIDE} pixels"
        )


def presentation_values(path: Path) -> Values:
    """Presentation values float32 [rows, columns] in 0..1, oriented as in the file, bright = dense.

    Raises:
        ImagingError: see `read_values`.
    """
    return read_values(path, path.stat().st_mtime_ns if path.is_file() else 0)[0]


@lru_cache(maxsize=4)
def read_values(path: Path, _: int) -> tuple[Values, tuple[str, ...]]:
    """Presentation values and notes of a file; cached for the last four (the second argument is its time).

    Raises:
        ImagingError: no pixel data, truncated, blank, absurd dimensions, unsupported syntax.
    """
    values, notes = _plain_image(path) if path.suffix.lower() in IMAGE_ENDINGS else _dicom(path)
    if float(values[::4, ::4].max() - values[::4, ::4].min()) < 1e-4:
        raise ImagingError(f"{path.name}: the image is blank (one value everywhere); expected a breast")
    values.setflags(write=False)
    return values, notes


def _dicom(path: Path) -> tuple[Values, tuple[str, ...]]:
    """Values of a DICOM file."""
    header = read_header(path)
    rows, columns = header.get("Rows"), header.get("Columns")
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise ImagingError(f"{path.name}: no (0028,0010) Rows or (0028,0011) Columns; expected a DICOM image")
    refuse_absurd(path.name, rows, columns)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path)
            if "PixelData" not in dataset:
                raise ImagingError(f"{path.name}: no (7FE0,0010) Pixel Data; expected an image, found a header only")
            stored = (
                pixel_array(dataset, index=0)
                if dataset.get("NumberOfFrames", 1) not in (None, 1)
                else pixel_array(dataset)
            )
            if stored.ndim == 3:  # colour secondary captures of grey films
                stored = stored.mean(-1)
            return presentation(stored, dataset)
    except ImagingError:
        raise
    except Exception as error:  # decoders raise what their libraries raise
        syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", None)
        named = getattr(syntax, "name", "missing or not a UID")
        raise ImagingError(
            f"{path.name}: (7FE0,0010) Pixel Data cannot be decoded ({_first_line(error)}); transfer syntax {named}; "
            "the file is truncated or damaged, or its syntax is not supported: send it again uncompressed"
        ) from error


def _plain_image(path: Path) -> tuple[Values, tuple[str, ...]]:
    """Values of a PNG, TIFF or PGM: the full range of its type is the range of the image."""
    try:
        with warnings.catch_warnings(), _open_plain_image(path) as image:
            refuse_absurd(path.name, image.height, image.width)
            raw = np.asarray(image.convert("L") if image.mode in ("RGB", "RGBA", "P", "LA", "1") else image)
    except Image.DecompressionBombError as error:
        raise ImagingError(
            f"{path.name}: the image is too large; expected sides of {MIN_SIDE} to {MAX_SIDE} pixels"
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, ImagingError):
            raise
        raise ImagingError(
            f"{path.name}: not a readable image ({_first_line(error)}); expected PNG, TIFF, PGM or JPEG"
        ) from error
    values = raw.astype(np.float32)
    top = 255.0 if raw.dtype == np.uint8 else float(2 ** int(np.ceil(np.log2(max(2.0, float(values.max()) + 1)))) - 1)
    return np.clip(values / top, 0, 1), ("not DICOM: no pixel spacing, read as For Presentation",)


def _open_plain_image(path: Path) -> Image.Image:
    """Open without Pillow's warning about large images: `refuse_absurd` has our own limit."""
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    return Image.open(path)


def _first_line(error: BaseException) -> str:
    """The first line of an error, short."""
    text = str(error).strip().splitlines()
    return (text[0].rstrip(".") if text else type(error).__name__)[:160]
