"""Pixels of one file, decoded once and cached: presentation values in 0..1."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pixel_array
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import RLELossless, UncompressedTransferSyntaxes

from amrg.imaging.errors import ImagingError, named_errors, short_reason, without_warnings
from amrg.imaging.header import Header, read_header, read_pixel_element, syntax_name
from amrg.imaging.image import PresentationImage, StoredValues
from amrg.imaging.pixels.codestream import codestream_size, has_end
from amrg.imaging.pixels.outside import outside_image
from amrg.imaging.pixels.presentation import presentation, upright_polarity
from amrg.imaging.pixels.rle import decode_rle

IMAGE_ENDINGS = frozenset({".png", ".tif", ".tiff", ".pgm", ".jpg", ".jpeg"})
MAX_SIDE = 16_384  # pixels; the largest mammograms made are under 8,000
MAX_PIXELS = 2**27  # 134 million; a film of 24 x 30 cm at 0.025 mm has 115 million
MIN_SIDE = 64
_UNCOMPRESSED = {str(uid) for uid in UncompressedTransferSyntaxes}
_COLOUR_BITS = 8  # a channel, that Pillow reads
_FEW_PIXELS, _FEWEST_PIXELS = 0.02, 0.001  # shares: labels burnt in; what interpolation made brighter
_OVERSHOOT = 1.02  # of full scale: interpolation goes so far beyond it
_WHITE_IS_ZERO = 0  # TIFF 6.0, PhotometricInterpretation (262)
_GREY_MODES = frozenset({"L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
Values = npt.NDArray[np.float32]


def refuse_absurd(name: str, rows: int, columns: int) -> None:
    """Refuse image sizes that no mammogram has, before memory is allocated.

    Raises:
        ImagingError: a side beyond the limits.
    """
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (rows, columns)) or rows * columns > MAX_PIXELS:
        raise ImagingError(
            f"{name}: (0028,0010) Rows x (0028,0011) Columns is {rows} x {columns}; expected sides of "
            f"{MIN_SIDE} to {MAX_SIDE} pixels and at most {MAX_PIXELS // 10**6} million in all"
        )


def presentation_values(path: Path) -> Values:
    """Presentation values float32 [rows, columns] in 0..1, oriented as in the file, bright = dense.

    Raises:
        ImagingError: see `read_image`.
    """
    return presentation_image(path).pixels()


def presentation_image(path: Path) -> PresentationImage:
    """The presentation image of a file, oriented as in the file, bright = dense.

    Raises:
        ImagingError: see `read_image`.
    """
    return read_image(path, path.stat().st_mtime_ns if path.is_file() else 0)[0]


@lru_cache(maxsize=8)
def read_image(path: Path, _: int) -> tuple[PresentationImage, tuple[str, ...]]:
    """The presentation image and notes of a file; cached for the last eight (the second argument is its time).

    Every value is a number in 0..1: this is the only way out for pixels, and it is checked here.

    Raises:
        ImagingError: no pixel data, truncated, blank, absurd dimensions, unsupported syntax.
    """
    read = _plain_image if path.suffix.lower() in IMAGE_ENDINGS else _dicom
    with named_errors(path), without_warnings():
        image, notes = read(path)
    if not image.is_valid():
        raise ImagingError(f"{path.name}: the pixels do not give values of 0 to 1; expected a grey image")
    sample = image.every(4)
    low, high = float(sample.min()), float(sample.max())
    if high - low < 1e-4:
        raise ImagingError(f"{path.name}: the image is blank (one value everywhere); expected a breast")
    if not ((sample > low + 1e-4) & (sample < high - 1e-4)).any():
        raise ImagingError(f"{path.name}: the image shows nothing (two values only); expected a breast")
    return image, notes


def _dicom(path: Path) -> tuple[PresentationImage, tuple[str, ...]]:
    """Image of a DICOM file."""
    header = read_header(path)
    rows, columns = header.integer("Rows"), header.integer("Columns")
    if rows is None or columns is None:
        raise ImagingError(f"{path.name}: no (0028,0010) Rows or (0028,0011) Columns; expected a DICOM image")
    refuse_absurd(path.name, rows, columns)
    element, keyword, syntax = read_pixel_element(path)
    if element is None or not element.value:
        raise ImagingError(
            f"{path.name}: no whole (7FE0,0010) Pixel Data; expected an image, found a header only or a file cut short"
        )
    if header.term("PhotometricInterpretation") == "PALETTE COLOR":
        raise ImagingError(
            f"{path.name}: (0028,0004) Photometric Interpretation is PALETTE COLOR; expected MONOCHROME1 or "
            "MONOCHROME2, as a mammogram has"
        )
    if keyword != "PixelData":
        raise ImagingError(f"{path.name}: pixels are in {keyword}; expected integers in (7FE0,0010) Pixel Data")
    try:
        _refuse_another_size(path.name, element, syntax, (rows, columns))
        if not has_end(element.value, syntax):
            raise ImagingError(
                f"{path.name}: the compressed image in (7FE0,0010) Pixel Data has no end; the file is truncated or "
                "damaged: send it again"
            )
        dataset = _pixel_dataset(header, element, syntax)
        notes = _beyond_image(path.name, dataset)
        stored = _decode(dataset)
        if stored.ndim == 3:  # colour secondary captures of grey films
            stored = stored.mean(-1)
    except ImagingError:
        raise
    except Exception as error:  # decoders raise what their libraries raise
        raise ImagingError(
            f"{path.name}: (7FE0,0010) Pixel Data cannot be decoded ({short_reason(error)}); transfer syntax "
            f"{syntax_name(syntax)}; the file is truncated or damaged, or its syntax is not supported: send it again "
            "uncompressed"
        ) from error
    if stored.shape != (rows, columns):
        raise ImagingError(f"{path.name}: (7FE0,0010) Pixel Data gives {stored.shape}; expected {rows} x {columns}")
    image, more = presentation(stored, header)
    return image, (*notes, *more)


def _beyond_image(name: str, dataset: Dataset) -> tuple[str, ...]:
    """A note on bytes after the pixels of an uncompressed image, of which a decoder says nothing.

    Raises:
        ImagingError: as many as a line of the image has: Rows or Columns is too small, and it would be cut or sheared.
    """
    length = len(dataset.PixelData)
    if dataset.file_meta.TransferSyntaxUID not in _UNCOMPRESSED:
        return ()
    expected = get_expected_length(dataset)
    beyond = length - expected - expected % 2
    if beyond <= 0:
        return ()
    if beyond >= expected // (max(dataset.Rows, dataset.Columns) * dataset.NumberOfFrames):
        raise ImagingError(
            f"{name}: (7FE0,0010) Pixel Data has {length} bytes, but (0028,0010) Rows x (0028,0011) Columns of "
            f"{dataset.Rows} x {dataset.Columns} has {expected}; the header is wrong or the file damaged: send it again"
        )
    return (f"{beyond} bytes after the image in (7FE0,0010) Pixel Data: not used",)


def _decode(dataset: Dataset) -> npt.NDArray[Any]:
    """Stored values of the first frame."""
    if dataset.file_meta.TransferSyntaxUID == RLELossless and (stored := decode_rle(dataset)) is not None:
        return stored
    return np.asarray(pixel_array(dataset, index=0, view_only=True))


def _refuse_another_size(name: str, element: Any, syntax: str, size: tuple[int, int]) -> None:
    """Refuse a compressed image whose own size is not the header's, before its decoder allocates memory for it.

    Raises:
        ImagingError: naming both sizes.
    """
    found = codestream_size(element.value, syntax)
    if found is not None and found != size:
        raise ImagingError(
            f"{name}: the compressed image is {found[0]} x {found[1]}, but (0028,0010) Rows x (0028,0011) Columns is "
            f"{size[0]} x {size[1]}; the file is damaged: send it again"
        )


def _pixel_dataset(header: Header, element: Any, syntax: str) -> Dataset:
    """The Image Pixel module (PS3.3 C.7.6.3) of plain values, for a decoder to take."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.Rows, dataset.Columns = header.integer("Rows"), header.integer("Columns")
    allocated = header.integer("BitsAllocated") or 16
    dataset.BitsAllocated = allocated
    dataset.PixelRepresentation = signed = header.integer("PixelRepresentation") or 0
    native = syntax in _UNCOMPRESSED and not signed  # the decoder would cut values above Bits Stored off
    dataset.BitsStored = bits = (None if native else header.integer("BitsStored")) or allocated
    dataset.HighBit = bits - 1
    dataset.SamplesPerPixel = samples = header.integer("SamplesPerPixel") or 1
    if samples > 1:
        dataset.PlanarConfiguration = header.integer("PlanarConfiguration") or 0
    dataset.PhotometricInterpretation = header.term("PhotometricInterpretation") or "MONOCHROME2"
    dataset.NumberOfFrames = max(1, header.integer("NumberOfFrames") or 1)
    dataset[element.tag] = element
    dataset["PixelData"].VR = "OB" if element.length == 0xFFFFFFFF or allocated <= 8 else "OW"
    return dataset


_JPEG = "a JPEG that cannot be read (lossless, of more than 8 bits, or damaged); expected 8 bits with loss"
_TIFF = "a TIFF that cannot be read (64-bit numbers, or damaged); expected 8 or 16 bits, or 32-bit numbers"
_UNREAD = {b"\xff\xd8": _JPEG, b"II": _TIFF, b"MM": _TIFF}
"""What files are, by their first bytes, of which Pillow reads some kinds only."""


def _unidentified(path: Path) -> str:
    """What is wrong with a file that Pillow does not know."""
    with path.open("rb") as file:
        found = _UNREAD.get(file.read(2))
    if found is None:
        return "not a readable image; expected PNG, TIFF, PGM or JPEG"
    return f"{found}: convert it to a PNG or TIFF of 16 bits, or name the DICOM file that it was made of"


def _plain_image(path: Path) -> tuple[PresentationImage, tuple[str, ...]]:
    """Image of a PNG, TIFF or PGM: the full range of its type is the range of the image."""
    try:
        with Image.open(path) as image:
            refuse_absurd(path.name, image.height, image.width)
            notes = _plain_notes(image)
            low_is_white = image.getexif().get(ExifTags.Base.PhotometricInterpretation) == _WHITE_IS_ZERO
            raw = np.asarray(ImageOps.exif_transpose(_grey(path, image)))
    except ImagingError:
        raise
    except Image.DecompressionBombError as error:
        raise ImagingError(
            f"{path.name}: the image is too large; expected sides of {MIN_SIDE} to {MAX_SIDE} pixels"
        ) from error
    except UnidentifiedImageError as error:
        raise ImagingError(f"{path.name}: {_unidentified(path)}") from error
    except Exception as error:  # Pillow raises what its parts raise on broken bytes
        raise ImagingError(
            f"{path.name}: not a readable image ({short_reason(error)}); expected PNG, TIFF, PGM or JPEG"
        ) from error
    if raw.dtype.kind == "f":
        raw = _numbers(path, raw.astype(np.float32), notes)
    if raw.dtype.kind in "if" and raw.min() < 0:
        raw = _from_zero(raw)
        notes.append("values below 0: the range is moved up to begin at 0")
    if low_is_white and raw.dtype != np.uint8:  # which Pillow turns over of 8 bits alone
        raw = raw.max() - raw
    stored = StoredValues.of(raw)
    values = stored.levels.astype(np.float32)
    top = 255.0 if raw.dtype == np.uint8 else _white(stored, notes)
    displayed = np.clip(values / np.float32(top), 0, 1)
    image = upright_polarity(stored, displayed, outside_image(stored, Header(), notes).hidden, notes)
    return image, tuple(notes)


def _white(stored: StoredValues, notes: list[str]) -> float:
    """The value displayed white: the greatest of as few bits as hold the values, without a few far above all others.

    A dead pixel or a label burnt in at 65,535 would else display data of 12 bits black.
    """
    values, counts = _counted(stored.pixels)
    shares = counts[::-1].cumsum()[::-1] / stored.pixels.size  # of the pixels at a value or above
    far = (values[1:] > 2 * values[:-1] + 1) & (values[:-1] >= 255) & (shares[1:] <= _FEW_PIXELS)
    usual = float(values[:-1][far][0] if far.any() else values[-1])
    white = _full_scale(usual)
    half = (white - 1) / 2
    if half < usual <= _OVERSHOOT * half and shares[np.searchsorted(values, half, "right")] <= _FEWEST_PIXELS:
        white = half
    if values[-1] > white:
        notes.append(f"values above {white:g}, up to {values[-1]:g}, are displayed white")
    return white


def _counted(pixels: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The values of an image in order, and how many pixels have each."""
    if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:  # bytes; sorting takes ten times as long
        return np.unique(pixels, return_counts=True)
    counts = np.bincount(pixels.ravel())
    values = np.flatnonzero(counts)
    return values, counts[values]


def _full_scale(value: float) -> float:
    """The greatest value of as few bits as hold a value."""
    return float(2 ** int(np.ceil(np.log2(max(2.0, value + 1)))) - 1)


def _from_zero(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values of which some are below 0: numbers with a sign from 0 on, as without it; others from 0 to 1."""
    least = float(values.min())
    if values.dtype.kind == "f":
        return np.asarray((values - np.float32(least)) / np.float32(max(float(values.max()) - least, 1e-6)))
    return np.asarray(values.astype(np.int64) + 2 ** int(np.ceil(np.log2(-least))))


def _grey(path: Path, image: Image.Image) -> Image.Image:
    """An image as grey values, all bits of them: Pillow reads colour with 8 bits a channel, whatever the file has.

    Raises:
        ImagingError: a TIFF of colour with more bits.
    """
    if image.mode in _GREY_MODES:
        return image
    if image.format == "TIFF" and np.max(image.getexif().get(ExifTags.Base.BitsPerSample, 1)) > _COLOUR_BITS:
        raise ImagingError(
            f"{path.name}: colour of more than {_COLOUR_BITS} bits a channel is not read; save it as 16-bit grey"
        )
    if image.format != "PNG" or _png_bits(path) <= _COLOUR_BITS:
        return image.convert("L")
    channels = imagecodecs.png_decode(path.read_bytes())
    grey = Image.fromarray(np.rint(channels[..., : 3 if channels.shape[-1] > 2 else 1].mean(-1)).astype(np.uint16))
    grey.info.update(image.info)
    return grey


def _png_bits(path: Path) -> int:
    """The bits a channel of a PNG, as its first chunk says (PNG 11.2.2)."""
    with path.open("rb") as file:
        return file.read(25)[-1]


def _numbers(path: Path, values: Values, notes: list[str]) -> Values:
    """Values without those that are no numbers.

    Raises:
        ImagingError: most of them are none.
    """
    number = np.isfinite(values)
    if number.all():
        return values
    if number.mean() < 0.5:
        raise ImagingError(f"{path.name}: most pixels are no numbers; expected a grey image")
    notes.append("pixels that are no numbers are displayed as background")
    return np.where(number, values, np.float32(0))


def _plain_notes(image: Image.Image) -> list[str]:
    """What is assumed of an image without a header, and what of its file is not read."""
    notes = ["not DICOM: no pixel spacing, read as For Presentation"]
    if (turned := image.getexif().get(ExifTags.Base.Orientation, 1)) not in (0, 1):
        notes.append(f"turned or mirrored as its EXIF orientation {turned} says, boxes are on the image so displayed")
    if (pages := getattr(image, "n_frames", 1)) > 1:
        notes.append(f"the first of {pages} images in the file is read")
    return notes
