"""A DICOM header as plain values, read once and in one place, so that no later access can fail.

pydicom reads values late: on broken bytes every access to a dataset can raise, with whatever its parts raise. Here the
raw bytes of the attributes that amrg uses become strings and numbers in one pass; what cannot be read is named.
"""

from __future__ import annotations

import logging
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from pydicom import charset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info, read_partial
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian
from pydicom.uid import ImplicitVRLittleEndian as ImplicitVR
from pydicom.values import convert_SQ

from amrg.imaging.errors import ImagingError, named_errors, short_reason, without_warnings

logging.getLogger("pydicom").addHandler(logging.NullHandler())  # what is odd is a note here, no line on stderr

MAX_ELEMENTS = 20_000  # top-level elements; a mammogram has a few hundred, misread pixels have millions
MAX_INFLATED = 2**30  # bytes of a deflated data set
MAX_ITEMS = 50_000  # items of one sequence that are read; a DICOMDIR has one a file
_DEPTH = 6  # nested sequences
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_FOR_PROCESSING = frozenset(_STORAGE + kind for kind in ("1.1.1", "1.2.1"))  # digital X-ray and mammography
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

_ATTRIBUTES = """
    SpecificCharacterSet ImageType SOPClassUID SOPInstanceUID StudyDate AccessionNumber AcquisitionDate
    ContentDate Modality ConversionType PresentationIntentType Manufacturer SeriesDescription
    ManufacturerModelName DerivationDescription PatientName PatientID IssuerOfPatientID PatientBirthDate
    PatientSex BodyPartExamined ProtocolName ViewPosition PaddleDescription
    AcquisitionDeviceProcessingDescription ImageComments StudyInstanceUID SeriesInstanceUID PatientOrientation
    Laterality ImageLaterality FrameLaterality PartialView BreastImplantPresent QualityControlImage
    CalibrationImage VOILUTFunction PresentationLUTShape FrameType PhotometricInterpretation
    PixelIntensityRelationship CollimatorShape CodeValue LongCodeValue CodingSchemeDesignator CodeMeaning
    UniversalEntityID OrganExposed AcquisitionContrast VolumetricProperties ReferencedFileID Rows Columns
    NumberOfFrames BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel PlanarConfiguration
    WindowCenter WindowWidth RescaleSlope RescaleIntercept PixelPaddingValue PixelPaddingRangeLimit
    PixelIntensityRelationshipSign ImagerPixelSpacing PixelSpacing EstimatedRadiographicMagnificationFactor
    PositionerPrimaryAngle LUTDescriptor CollimatorLeftVerticalEdge CollimatorRightVerticalEdge
    CollimatorUpperHorizontalEdge CollimatorLowerHorizontalEdge CenterOfCircularCollimator
    RadiusOfCircularCollimator VerticesOfThePolygonalCollimator KVP ContrastBolusAgent DistanceSourceToDetector
    DistanceSourceToPatient PatientAge AcquisitionTime ReferencedSOPInstanceUID StudyDescription
"""
_SEQUENCES = """
    ViewCodeSequence ViewModifierCodeSequence AnatomicRegionSequence AnatomicRegionModifierSequence
    ModalityLUTSequence VOILUTSequence SpecimenDescriptionSequence IssuerOfPatientIDQualifiersSequence
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence FrameVOILUTSequence PixelMeasuresSequence
    PixelValueTransformationSequence FrameAnatomySequence XRay3DFrameTypeSequence DirectoryRecordSequence
    ContrastBolusAgentSequence ConceptNameCodeSequence CurrentRequestedProcedureEvidenceSequence
    ReferencedSeriesSequence ReferencedSOPSequence
"""
_FRAMES = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
_NESTED = frozenset(_SEQUENCES.split())
KEYWORDS = (*_ATTRIBUTES.split(), *_SEQUENCES.split(), "LUTData")
_TAGS = {int(tag): keyword for keyword in KEYWORDS if (tag := tag_for_keyword(keyword)) is not None}
_TAGS[0x60000102] = "OverlayBitPosition"  # a repeating group, of which pydicom's dictionary gives no single tag
_PIXEL_TAGS = {int(tag): keyword for keyword in _PIXELS if (tag := tag_for_keyword(keyword)) is not None}
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "US or SS": "H", "SV": "q", "UV": "Q"}
_WORDS = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
_KNOWN_VRS = _WORDS | set(_BINARY) | {"OB", "OW", "SQ", "OF", "OD", "OL", "OV", "AT"}
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Header:
    """The attributes of a DICOM object that amrg uses, by keyword, as the strings of the file.

    `items` are sequences, `raw` is bulk data in the byte order of its element, `damaged` names what could not be read.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    items: Mapping[str, tuple[Header, ...]] = field(default_factory=dict)
    raw: Mapping[str, bytes] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    transfer_syntax: str = ""
    notes: tuple[str, ...] = ()
    big_endian: bool = False

    def texts(self, keyword: str) -> tuple[str, ...]:
        """All values of an attribute as text."""
        return self.values.get(keyword, ())

    def text(self, keyword: str) -> str:
        """The values of an attribute as one text; empty where it is absent."""
        return " ".join(value for value in self.texts(keyword) if value)

    def term(self, keyword: str) -> str:
        """A coded string: the first value in capitals."""
        return self.texts(keyword)[0].upper() if self.texts(keyword) else ""

    def numbers(self, keyword: str) -> tuple[float | None, ...]:
        """All values as finite numbers, a decimal comma read as a point; None where a value is no number."""
        return tuple(number_in(value) for value in self.texts(keyword))

    def number(self, keyword: str) -> float | None:
        """The first value as a number; None where there is none."""
        found = self.numbers(keyword)
        return found[0] if found else None

    def integer(self, keyword: str) -> int | None:
        """The first value as a whole number; None where there is none."""
        found = self.number(keyword)
        return int(found) if found is not None and found == int(found) else None

    @property
    def code(self) -> str:
        """The code value of a coded item (PS3.3 table 8.8-1), long or short."""
        return self.text("CodeValue") or self.text("LongCodeValue")

    def sequence(self, keyword: str) -> tuple[Header, ...]:
        """The items of a sequence; empty where it is absent."""
        return self.items.get(keyword, ())


def is_for_processing(header: Header) -> bool:
    """Whether an image is For Processing: by Presentation Intent Type (0008,0068), else by its SOP class."""
    intent = header.term("PresentationIntentType")
    return intent == "FOR PROCESSING" if intent else header.text("SOPClassUID") in _FOR_PROCESSING


def number_in(text: str) -> float | None:
    """A finite number, decimal commas allowed; None for NaN, infinity and other text."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    number = float(text.strip().replace(",", "."))
    return number if abs(number) < 1e30 else None


def read_header(path: Path) -> Header:
    """The header of a DICOM file, read leniently: damaged attributes count as absent and are listed.

    Raises:
        ImagingError: not DICOM, or broken before its pixels.
    """
    with named_errors(path):
        found = path.stat()
        return _read_header(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=16)
def _read_header(path: Path, _time: int, _size: int) -> Header:
    """See `read_header`: a file that is read for its header first is read for its pixels next."""
    dataset, prefix = _read(path, (*_TAGS,))
    header = header_of(dataset)
    if not prefix and not header.text("SOPClassUID").startswith(_STORAGE):
        raise _not_dicom(path)
    if not prefix:
        header = replace(header, notes=("no preamble and prefix: read as a bare data set",))
    return header


def clear_headers() -> None:
    """Forget the headers of the files that were read last."""
    _read_header.cache_clear()


def referenced_files(path: Path) -> list[tuple[str, ...]]:
    """The parts of the paths that a DICOMDIR lists (PS3.10 8.6).

    Raises:
        ImagingError: not DICOM, or broken.
    """
    records = read_header(path).sequence("DirectoryRecordSequence")
    return [parts for record in records if (parts := tuple(filter(None, record.texts("ReferencedFileID"))))]


def read_pixel_element(path: Path) -> tuple[Any, str, str]:
    """The raw element of the pixels, None where there is none, its keyword, and the transfer syntax.

    Raises:
        ImagingError: not DICOM, or broken.
    """
    with named_errors(path):
        dataset, _ = _read(path, (*_PIXEL_TAGS,), pixels=True)
        for tag, keyword in _PIXEL_TAGS.items():
            if (element := dataset.get_item(Tag(tag))) is not None:
                return element, keyword, _syntax(dataset)
        return None, "", _syntax(dataset)


def header_of(dataset: Dataset) -> Header:
    """A dataset as plain values, functional groups (PS3.3 C.7.6.16) merged for the first frame."""
    with without_warnings():
        plain = _plain(dataset, _charsets(dataset), _DEPTH)
    for group in _FRAMES:
        for frame in plain.sequence(group)[:1]:
            for nested in frame.items.values():
                plain = _filled(plain, nested[0]) if nested else plain
            plain = _filled(plain, Header(items={k: v for k, v in frame.items.items() if k == "ViewCodeSequence"}))
    return replace(plain, transfer_syntax=_syntax(dataset))


def _filled(header: Header, other: Header) -> Header:
    """A header with what another has and it lacks."""
    values = {**other.values, **{k: v for k, v in header.values.items() if any(v)}}
    items = {**other.items, **{k: v for k, v in header.items.items() if v}}
    return replace(header, values=values, items=items, raw={**other.raw, **header.raw})


def _read(path: Path, tags: tuple[int, ...], pixels: bool = False) -> tuple[Dataset, bool]:
    """A file's raw elements of the given tags, none converted, and whether it has the prefix of PS3.10 7.1.

    Raises:
        ImagingError: broken.
        OSError: not to be opened.
    """
    with without_warnings(), path.open("rb") as file:  # odd values are named where they matter
        prefix = file.read(132)[128:] == b"DICM"
        file.seek(0)
        try:
            if prefix:
                _refuse_bomb(path, file)
            return read_partial(file, _Stop(path.name, pixels), force=True, specific_tags=list(tags)), prefix
        except (ImagingError, OSError, MemoryError):
            raise
        except Exception as error:  # pydicom raises what its parts raise on broken bytes
            if not prefix:
                raise _not_dicom(path) from error
            raise ImagingError(
                f"{path.name}: damaged DICOM header ({short_reason(error)}); send the file again"
            ) from error


def _not_dicom(path: Path) -> ImagingError:
    return ImagingError(
        f"{path.name}: not DICOM (no DICM prefix at byte 128); expected a DICOM file, PNG, TIFF, PGM or JPEG"
    )


@dataclass
class _Stop:
    """Ends reading at or after the pixels; refuses headers of more elements than any has."""

    name: str
    pixels: bool
    count: int = 0
    reached: bool = False

    def __call__(self, tag: int, _vr: str | None, _length: int) -> bool:
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise ImagingError(
                f"{self.name}: damaged DICOM header (over {MAX_ELEMENTS} elements; a length is wrong); send it again"
            )
        if not self.pixels:
            return int(tag) in _PIXEL_TAGS
        if self.reached:
            return True
        self.reached = int(tag) in _PIXEL_TAGS
        return False


def _refuse_bomb(path: Path, file: BinaryIO) -> None:
    """Refuse a deflated data set that inflates to more than memory should hold; leaves the file at its start.

    Raises:
        ImagingError: more than `MAX_INFLATED` bytes.
    """
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    file.seek(0)
    start = 132 + 12 + int(meta.get("FileMetaInformationGroupLength") or 0)
    file.seek(start)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while block := file.read(2**16):
        while block:
            size += len(inflater.decompress(block, 2**22))
            block = inflater.unconsumed_tail
            if size > MAX_INFLATED:
                raise ImagingError(f"{path.name}: the deflated data set inflates to over 1 GiB; send it uncompressed")
    file.seek(0)


def _syntax(dataset: Dataset) -> str:
    """The transfer syntax, stated or implied by how the data set reads; empty where neither says."""
    meta = getattr(dataset, "file_meta", None)
    element = meta.get_item(Tag(0x00020010)) if meta is not None else None
    if element is not None:
        value = element.value
        return value.decode("ascii", "replace").strip("\0 ") if isinstance(value, bytes) else str(value or "")
    implicit, little = getattr(dataset, "original_encoding", (None, None))
    if implicit is None:
        return ""
    return str(ImplicitVR if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian)


def syntax_name(uid: str) -> str:
    """The name of a transfer syntax for messages."""
    return UID(uid).name if uid and re.fullmatch(r"[\d.]+", uid) else "missing or not a UID"


def _charsets(dataset: Dataset) -> list[str]:
    """Python encodings of Specific Character Set (0008,0005); Latin-1 where it is unknown."""
    try:
        element = dataset.get_item(Tag(0x00080005))
        value = getattr(element, "value", None)
        if isinstance(value, bytes):
            value = value.decode("ascii", "replace").strip("\0 ").split("\\")
        return list(charset.convert_encodings(value or "ISO_IR 100"))
    except Exception:  # an unknown set: names are compared, never displayed
        return ["latin_1"]


def _plain(dataset: Dataset, encodings: list[str], depth: int) -> Header:
    """The wanted attributes of a dataset or item, each read by itself, so that a broken one costs no other."""
    values: dict[str, tuple[str, ...]] = {}
    items: dict[str, tuple[Header, ...]] = {}
    raw: dict[str, bytes] = {}
    damaged = []
    big_endian = False
    for tag in dataset.keys():  # noqa: SIM118 - iterating a dataset converts its elements
        if (keyword := _TAGS.get(int(tag))) is None:
            continue
        try:
            element = dataset.get_item(tag)
            if keyword in _NESTED:
                items[keyword] = _items(element, encodings, depth, 1 if keyword in _FRAMES else MAX_ITEMS)
            elif keyword == "LUTData":
                raw[keyword], big_endian = _bulk(element)
            else:
                values[keyword] = _strings(element, keyword, encodings)
        except Exception:  # whatever broken bytes make pydicom or struct raise
            damaged.append(keyword)
    return Header(values, items, raw, tuple(damaged), big_endian=big_endian)


def _items(element: Any, encodings: list[str], depth: int, most: int) -> tuple[Header, ...]:
    """The items of a sequence element, raw or read."""
    if depth == 0:
        raise ValueError("sequences nested too deeply")
    value = element.value
    if isinstance(value, bytes):
        implicit = element.is_implicit_VR or element.VR == "UN"  # PS3.5 6.2.2 note 2: UN is implicit
        value = convert_SQ(value, implicit, element.is_little_endian, encodings)
    return tuple(_plain(item, encodings, depth - 1) for item in list(value or ())[:most])


def _bulk(element: Any) -> tuple[bytes, bool]:
    """Bytes of a table, and whether they are big endian."""
    value = element.value
    if isinstance(value, bytes):
        return value, not getattr(element, "is_little_endian", True)
    many = value if isinstance(value, (list, tuple)) or hasattr(value, "__iter__") else [value]
    return b"".join(struct.pack("<H", int(v) & 0xFFFF) for v in many), False


def _strings(element: Any, keyword: str, encodings: list[str]) -> tuple[str, ...]:
    """The values of an element as strings; numbers as Python writes them."""
    value = element.value
    if value is None:
        return ()
    if not isinstance(value, bytes):
        many = value if _is_many(value) else [value]
        return tuple(str(v).strip("\0 ") for v in many)
    vr = element.VR if element.VR in _KNOWN_VRS else dictionary_VR(element.tag)
    if vr in ("OB", "OW"):
        vr = dictionary_VR(element.tag)
    if vr in _BINARY:
        code = ("<" if getattr(element, "is_little_endian", True) else ">") + _BINARY[vr]
        size = struct.calcsize(code)
        return tuple(repr(v[0]) for v in struct.iter_unpack(code, value[: len(value) // size * size]))
    text = _decoded(value, encodings if vr in ("LO", "LT", "PN", "SH", "ST", "UC", "UT") else ["latin_1"])
    parts = [text] if keyword == "ImageComments" else text.split("\\")
    return tuple(part.strip("\0 \t\r\n") for part in parts) if text.strip("\0 ") else ()


def _is_many(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (hasattr(value, "__getitem__") and not isinstance(value, str))


def _decoded(value: bytes, encodings: list[str]) -> str:
    """Text of bytes in the file's character sets, or as Latin-1 where that fails."""
    decode: Callable[..., str] = charset.decode_bytes
    try:
        return decode(value, encodings, {0x0A, 0x0C, 0x0D, 0x09, 0x5C, 0x5E, 0x3D})
    except Exception:  # a broken escape sequence
        return value.decode("latin_1")
