"""One file to a mammogram: identity, orientation, spacing; pixels are decoded once, so bad ones are found early."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from amrg.birads import Laterality, View
from amrg.core.hashing import sha256_of_file
from amrg.imaging.decoding import IMAGE_ENDINGS, read_header, read_values
from amrg.imaging.errors import ImagingError
from amrg.imaging.framing import find_breast
from amrg.imaging.identity import Identity, identity, merge_identity, side_in, view_in
from amrg.imaging.study import Intent, Mammogram


def read_plain_image(path: Path) -> Mammogram:
    """A PNG, TIFF, PGM or JPEG whose name gives side and view, such as `RCC.png` or `P001_LEFT_MLO.tif`.

    Raises:
        ImagingError: unreadable, or a name that does not give both.
    """
    return _mammogram(path, _identity_from_name(path), Dataset(), _uid_of_bytes(path))


def read_dicom(path: Path, header: Dataset) -> Mammogram:
    """A DICOM file as a mammogram.

    Raises:
        ImagingError: unreadable pixels, or a header without side or view.
    """
    return _mammogram(path, identity(header, path.stem), header, _uid(path, header))


def read_mammogram(path: Path, laterality: Laterality | None = None, view: View | None = None) -> Mammogram:
    """One file as a mammogram, by the side and view that a data set's table gives for it.

    The table comes before header and name, and a header or name that disagrees is noted; what it does not give (None)
    is read from the file. The image hangs as that side requires.

    Raises:
        ImagingError: no such file, unreadable, or neither table nor file gives side and view.
    """
    if not path.is_file():
        raise ImagingError(f"{path.name}: no such file in {path.parent.name}; check that the data set is complete")
    if path.suffix.lower() in IMAGE_ENDINGS:
        return _mammogram(
            path, merge_identity(_identity_from_name(path), laterality, view), Dataset(), _uid_of_bytes(path)
        )
    header = read_header(path)
    return _mammogram(path, merge_identity(identity(header, path.stem), laterality, view), header, _uid(path, header))


def _identity_from_name(path: Path) -> Identity:
    """Side and view by the file's name alone."""
    return Identity(side_in(path.stem), view_in(path.stem), ())


def _uid(path: Path, header: Dataset) -> str:
    """SOP Instance UID of a header."""
    if uid := str(header.get("SOPInstanceUID") or ""):
        return uid
    raise ImagingError(f"{path.name}: no (0008,0018) SOP Instance UID; expected one in every DICOM object")


def _uid_of_bytes(path: Path) -> str:
    """A UID for an image that has none: the same bytes, the same UID."""
    return "2.25." + str(int(sha256_of_file(path)[:30], 16))


def _mammogram(path: Path, who: Identity, header: Dataset, uid: str) -> Mammogram:
    laterality, view = _require_side_and_view(path, who)
    values, notes = read_values(path, path.stat().st_mtime_ns)
    flipped, turned = _orientation(values, laterality, view)
    for_processing = str(header.get("PresentationIntentType", "")).upper() == Intent.FOR_PROCESSING
    return Mammogram(
        sop_instance_uid=uid,
        laterality=laterality,
        view=view,
        pixel_spacing_mm=spacing(header),
        rows=values.shape[0],
        columns=values.shape[1],
        source=path,
        intent=Intent.FOR_PROCESSING if for_processing else Intent.FOR_PRESENTATION,
        flipped=flipped,
        notes=(*who.notes, *notes, *turned),
    )


def _require_side_and_view(path: Path, who: Identity) -> tuple[Laterality, View]:
    """Side and view, both known.

    Raises:
        ImagingError: neither header nor name gives one of them.
    """
    if who.laterality is None:
        raise ImagingError(
            f"{path.name}: no side in (0020,0062) ImageLaterality, (0020,0060) Laterality and the file name; "
            "expected R or L" + _name_hint(path)
        )
    if who.view is None:
        raise ImagingError(
            f"{path.name}: no view in (0054,0220) ViewCodeSequence, (0018,5101) ViewPosition, "
            "(0020,0020) PatientOrientation and the file name; expected CC, MLO or another projection"
            + _name_hint(path)
        )
    return who.laterality, who.view


def _name_hint(path: Path) -> str:
    return "; name it like RCC.png or P1_LEFT_MLO.png" if path.suffix.lower() in IMAGE_ENDINGS else ""


def spacing(header: Dataset) -> tuple[float, float] | None:
    """Pixel spacing in the plane of the breast, (row, column) in mm.

    Imager Pixel Spacing (0018,1164) over Estimated Radiographic Magnification Factor (0018,1114), PS3.3 C.8.7.1.1.3;
    Pixel Spacing (0028,0030) only where there is no other.
    """
    pair = _pair(header.get("ImagerPixelSpacing"))
    if pair is None:
        return _pair(header.get("PixelSpacing"))
    try:
        factor = float(header.get("EstimatedRadiographicMagnificationFactor") or 1.0)
    except (TypeError, ValueError):
        factor = 1.0
    return (pair[0] / factor, pair[1] / factor) if factor > 0 else pair


def _pair(value: object) -> tuple[float, float] | None:
    """Two positive numbers, or None."""
    try:
        row, column = (float(x) for x in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    return (row, column) if 0 < row < 10 and 0 < column < 10 else None


def _orientation(values: npt.NDArray[np.float32], laterality: Laterality, view: View) -> tuple[bool, tuple[str, ...]]:
    """Whether the image must be mirrored to hang naturally, and notes on what was found.

    The chest wall is at the right edge for right breasts and at the left edge for left ones (as hung face to face).
    """
    mask, _ = find_breast(values, laterality)
    rows, columns = np.nonzero(mask)
    at_left = float(columns.mean()) < mask.shape[1] / 2
    flipped = at_left is (laterality is Laterality.RIGHT)
    notes = [f"mirrored: the breast was at the wrong edge for side {laterality}"] if flipped else []
    if view is View.MLO and float(rows.mean()) > 0.7 * mask.shape[0]:
        notes.append("the breast is low in the image: it may be upside down")
    return flipped, tuple(notes)
