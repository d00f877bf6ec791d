"""What kind of image an object is, by every sign that makers use; objects that are no view are set aside by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydicom.uid import UID

from amrg.imaging.evidence.codes import MODIFIER_CONCEPTS, is_specimen, modifier
from amrg.imaging.evidence.words import (
    CONTRAST,
    LOW_ENERGY,
    SYNTHETIC,
    THREE_D,
    TOMOSYNTHESIS,
    TOMOSYNTHESIS_ONLY,
    is_history,
    kind_by_words,
    kind_of_file_name,
    lists_an_exam,
    plain,
    without_past_biopsy,
)
from amrg.imaging.header import Header

MOST_KVP = 42  # mammograms have 22 to 40 kV, high-energy images of contrast mammography 44 and more
MAGNIFIED = 1.3  # Estimated Radiographic Magnification Factor; contact views have 1.0 to 1.1
_NO_IMAGE = {"SR": "a structured report", "PR": "a presentation state", "KO": "a key object selection"}
_READ = {"MG", "OT", "CR", "DX", "SC"}  # films digitised elsewhere come as other or secondary capture
_OTHER_OBJECTS = {
    "Structured Report": "a structured report",
    " SR ": "a structured report",
    "Presentation State": "a presentation state",
    "Key Object": "a key object selection",
    "Encapsulated": "an encapsulated document",
    "Raw Data": "raw data",
    "Segmentation": "a segmentation",
    "Waveform": "a waveform",
    "Ultrasound": "an ultrasound image",
    "MR Image": "a magnetic resonance image",
}
_TOMOSYNTHESIS_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.13.1.3": "a tomosynthesis image",
    "1.2.840.10008.5.1.4.1.1.13.1.4": "a tomosynthesis projection",
    "1.2.840.10008.5.1.4.1.1.13.1.5": "a tomosynthesis projection",
}
_FULL_FIELD_CLASSES = {"1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.1.2.1"}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

# PS3.16 CID 4015 by pydicom's keywords. Views with the modifiers of `_WHOLE` show the breast as a screening view does.
_MODIFIED = {
    "Magnification": "a magnification view",
    "SpotCompression": "a spot compression view",
    "ImplantDisplaced": "an implant-displaced view",
    "Tangential": "a tangential view",
    "Cleavage": "a cleavage view",
    "AxillaryTail": "an axillary tail view",
    "AxillaryTissue": "an axillary tissue view",
    "RolledLateral": "a rolled view (lateral)",
    "RolledMedial": "a rolled view (medial)",
    "RolledSuperior": "a rolled view (superior)",
    "RolledInferior": "a rolled view (inferior)",
}
_WHOLE = {
    "NippleInProfile": "nipple in profile",
    "AnteriorCompression": "anterior compression",
    "InfraMammaryFold": "infra-mammary fold",
}
assert set(_MODIFIED) | set(_WHOLE) == set(MODIFIER_CONCEPTS), "CID 4015 has other modifiers than are named here"

_SYNTHETIC_TYPES = {"GENERATED_2D", "SYNTHESIZED_2D", "SYNTHETIC_2D", "SYNTHETIC", "2D_SYNTHETIC", "SYNTHESIZED"}
_TOMOSYNTHESIS_TYPES = re.compile(r"TOMO|TOMOSYNTHESIS|TOMO_PROJ\w*|VOLUME|DBT|TOMO_SLICE|SLICE|SLAB|RECON\w*")
# The ACR's labels around a view: `RCCID`, `R CC ID`, `RMCC`, `MLO-RL`.
_LABEL = re.compile(
    r"(?<![A-Z])(?:R|L|RT|LT|RIGHT|LEFT)?[ _-]?(?P<before>MAG|SPOT|M|S)?[ _-]?"
    r"(?:XCCL|XCCM|XCC|CC|MLO|LMO|ML|LM|SIO|ISO|FB)"
    r"[ _-]*(?P<after>ID|RL|RM|RI|RS|TAN|AT|CV|MAG|SPOT|M|S)?(?:[ _-]*(?:RT|LT|R|L))?(?![A-Z]|[ _-]?VIEW|[ _-]?\d)"
)
_LABELS = {
    "M": _MODIFIED["Magnification"],
    "MAG": _MODIFIED["Magnification"],
    "S": _MODIFIED["SpotCompression"],
    "SPOT": _MODIFIED["SpotCompression"],
    "ID": _MODIFIED["ImplantDisplaced"],
    "RL": _MODIFIED["RolledLateral"],
    "RM": _MODIFIED["RolledMedial"],
    "RS": _MODIFIED["RolledSuperior"],
    "RI": _MODIFIED["RolledInferior"],
    "TAN": _MODIFIED["Tangential"],
    "CV": _MODIFIED["Cleavage"],
    "AT": _MODIFIED["AxillaryTail"],
}
_PROCEDURES = {"a specimen", "a biopsy image", "a localisation image", "a galactography image"}
_DEVICE, _COMMENT = "AcquisitionDeviceProcessingDescription", "ImageComments"
_SERIES, _PROTOCOL = "SeriesDescription", "ProtocolName"
_TEXTS = (_SERIES, "ViewPosition", _PROTOCOL, _DEVICE, _COMMENT)
_ALL_TEXTS = (*_TEXTS, "PaddleDescription", "DerivationDescription", "ImageType")
# A protocol names all that it acquires, so it says nothing of one image's origin.
_ORIGINS = (_SERIES, "ViewPosition", _DEVICE, _COMMENT, "DerivationDescription")


class ImageKind(StrEnum):
    """How an image came about, best first: of two images of one view the better kind is read."""

    FULL_FIELD = "full field"
    SYNTHETIC = "synthetic 2D"
    SECONDARY_CAPTURE = "secondary capture"


@dataclass(frozen=True)
class Classified:
    """What an object is: a kind of image that is read, or else the reason why it is set aside; and notes."""

    reason: str | None
    kind: ImageKind = ImageKind.FULL_FIELD
    notes: tuple[str, ...] = ()


def classify(header: Header, file_name: str = "") -> Classified:
    """The kind of an object, by its classes, codes, terms and descriptions; a file's name counts for view labels."""
    if reason := _no_mammogram(header) or _by_modifier(header) or _by_description(header, file_name):
        return Classified(reason)
    frames = max(1, header.integer("NumberOfFrames") or 1)
    if sign := _synthetic_sign(header, frames):
        note = f"synthetic 2D image made of tomosynthesis, by {sign}"
        more = (f"the first of {frames} frames is read",) if frames > 1 else ()
        return Classified(None, ImageKind.SYNTHETIC, (note, *more))
    if reason := _tomosynthesis(header, frames):
        return Classified(reason)
    if (contrast := _contrast(header)) is not None and contrast.reason is not None:
        return contrast
    notes = contrast.notes if contrast is not None else ()
    notes += _doubts(header)
    notes += tuple(f"view modifier: {_WHOLE[name]}" for name in _modifiers(header) if name in _WHOLE)
    if header.text("SOPClassUID").startswith(_SECONDARY_CAPTURE):
        return Classified(None, ImageKind.SECONDARY_CAPTURE, (*notes, "a secondary capture, no original image"))
    return Classified(None, notes=notes)


def classify_name(file_name: str) -> Classified:
    """The kind of an image without a header, by its name."""
    name = plain(file_name).replace("_", " ")
    if reason := kind_of_file_name(name) or _by_label(name):
        return Classified(reason)
    if match := SYNTHETIC.search(name):
        return Classified(
            None, ImageKind.SYNTHETIC, (f"synthetic 2D image made of tomosynthesis, by file name {match[1]}",)
        )
    return Classified("a tomosynthesis image" if TOMOSYNTHESIS.search(name) or THREE_D.search(name) else None)


def _no_mammogram(header: Header) -> str | None:
    """By modality and SOP class."""
    modality = header.term("Modality")
    if modality in _NO_IMAGE:
        return _NO_IMAGE[modality]
    if modality and modality not in _READ:
        return f"another modality: (0008,0060) is {modality[:16]}, expected MG"
    if modality != "MG" and (part := _other_body_part(header)):
        return f"another body part: {part}, expected BREAST"
    uid = header.text("SOPClassUID")
    name = f"{UID(uid).name} " if re.fullmatch(r"[\d.]+", uid) else ""
    for part, what in _OTHER_OBJECTS.items():
        if part in name:
            return what
    if "YES" in (header.term("QualityControlImage"), header.term("CalibrationImage")):
        return "a quality control image"
    return None


def _other_body_part(header: Header) -> str:
    """Body Part Examined (0018,0015) where it is stated and no breast; empty else."""
    part = header.term("BodyPartExamined")[:16]
    return f"(0018,0015) is {part}" if part and not re.search(r"BREAST|MAMM|BRUST|SEIN|SENO|MAMA", part) else ""


_NOT_OF_THE_IMAGE = {
    _COMMENT: "ImageComments (0020,4000) speak of {} in the past",
    _SERIES: "SeriesDescription (0008,103E) speaks of {} in the past",
    _PROTOCOL: "ProtocolName (0018,1030) lists {} among the images of an exam",
}
"""What is stated of a text that names a kind, and not of this image."""


def _doubts(header: Header) -> tuple[str, ...]:
    """What a header says that may make another kind of an image, although it is read as a standard view."""
    unknown = [
        (item.text("CodeMeaning") or item.text("CodeValue"))[:40]
        for place in (header, *header.sequence("ViewCodeSequence"))
        for item in place.sequence("ViewModifierCodeSequence")
        if not (modifier(item) or _meaning(item)) and (item.text("CodeMeaning") or item.text("CodeValue"))
    ]
    of_study = kind_by_words(plain(header.text("StudyDescription")))
    part = _other_body_part(header)
    return (
        *(f"view modifier {meaning!r} is not known: read as a standard view" for meaning in unknown),
        *((f"{part}, expected BREAST: read as a mammogram",) if part else ()),
        *((f"StudyDescription (0008,1030) speaks of {of_study}",) if of_study in _PROCEDURES else ()),
        *(
            f"{words.format(what)}: read as a standard view"
            for keyword, words in _NOT_OF_THE_IMAGE.items()
            if (what := kind_by_words(plain(" ".join(header.texts(keyword)))))
            and not kind_by_words(" ".join(_of_image(header, keyword)))
        ),
        *(f"{name} says 3D: read as a full field image of such an exam" for name in _ORIGINS if _says_3d(header, name)),
    )


def _modifiers(header: Header) -> Iterator[str]:
    """Keywords of View Modifier Code Sequence (0054,0222), in the view's item as in PS3.3 C.8.11.7 or at top level."""
    for place in (header, *header.sequence("ViewCodeSequence")):
        for item in place.sequence("ViewModifierCodeSequence"):
            yield modifier(item) or _meaning(item)


def _meaning(item: Header) -> str:
    """The keyword that the meaning of a maker's own code comes to."""
    named = kind_by_words(plain(item.text("CodeMeaning")))
    return next((keyword for keyword, what in _MODIFIED.items() if named and what.startswith(named)), "")


def _by_modifier(header: Header) -> str | None:
    """By view modifier codes, partial view, magnification factor, specimen and biopsy attributes."""
    for name in _modifiers(header):
        if name in _MODIFIED:
            return _MODIFIED[name]
    if any(is_specimen(item) for item in header.sequence("ViewCodeSequence")):
        return "a specimen"
    if header.sequence("SpecimenDescriptionSequence") or "SPECIMEN" in header.text("BodyPartExamined").upper():
        return "a specimen"
    if _magnification(header) >= MAGNIFIED:
        return _MODIFIED["Magnification"]
    return "a partial view" if header.term("PartialView") == "YES" else None


def _magnification(header: Header) -> float:
    """The stated factor, or that of the distances from the source (PS3.3 C.8.11.3); 1 where neither is known."""
    if (stated := header.number("EstimatedRadiographicMagnificationFactor")) is not None and stated > 0:
        return stated
    detector, patient = header.number("DistanceSourceToDetector"), header.number("DistanceSourceToPatient")
    return detector / patient if detector and patient and patient > 0 else 1.0


def _contrast(header: Header) -> Classified | None:
    """Contrast mammography: the low-energy image is like a mammogram, the others are none (PS3.3 C.8.11.3)."""
    if (header.number("KVP") or 0) > MOST_KVP:
        return Classified("a high-energy image of contrast mammography")
    text = _description(header)
    types = {term.upper() for term in header.texts("ImageType")}
    agent = bool(header.text("ContrastBolusAgent") or header.sequence("ContrastBolusAgentSequence"))
    if LOW_ENERGY.search(text):
        return Classified(None, notes=("a low-energy image of contrast mammography",))
    if agent or "CONTRAST" in types or CONTRAST.search(text):
        return Classified("a contrast mammography image that is not named as its low-energy one")
    return None


def _by_description(header: Header, file_name: str) -> str | None:
    """By the names of series, view, protocol and paddle, and by the labels around a view in them."""
    return kind_by_words(_description(header)) or _by_label(
        *(" ".join(_of_image(header, name)) for name in _TEXTS), plain(file_name)
    )


def _description(header: Header) -> str:
    """All that describes an image, in plain capitals, its texts apart."""
    return " | ".join(text for name in _ALL_TEXTS for text in _of_image(header, name))


def _of_image(header: Header, keyword: str) -> tuple[str, ...]:
    """The texts of an attribute in plain capitals, as far as they are of the image.

    A comment on the breast's past (`s/p biopsy 2019`) is not, nor a protocol that lists what an exam has.
    """
    texts = tuple(plain(text) for text in header.texts(keyword))
    whole = " ".join(texts)
    if (keyword == _COMMENT and is_history(whole)) or (keyword == _PROTOCOL and lists_an_exam(whole)):
        return ()
    return tuple(without_past_biopsy(text) for text in texts)


def _says_3d(header: Header, keyword: str) -> bool:
    return THREE_D.search(" ".join(_of_image(header, keyword))) is not None


def _is_original(header: Header, frames: int) -> bool:
    """Whether a header calls the image one that a detector acquired as a full-field mammogram, as no slice is."""
    types = [text.upper() for text in header.texts("ImageType")[:2]]
    return frames == 1 and types == ["ORIGINAL", "PRIMARY"] and header.text("SOPClassUID") in _FULL_FIELD_CLASSES


def _by_label(*texts: str) -> str | None:
    """By the labels around a view."""
    labels = (m["after"] or m["before"] for text in texts for m in _LABEL.finditer(text))
    return next((_LABELS[label] for label in labels if label), None)


def _synthetic_sign(header: Header, frames: int) -> str | None:
    """The sign of a synthetic 2D image: ImageType, or a maker's name for one, which a stack of slices has too."""
    types = {text.upper() for keyword in ("ImageType", "FrameType") for text in header.texts(keyword)}
    if found := types & _SYNTHETIC_TYPES:
        return f"ImageType (0008,0008) {min(found)}"
    for name in _ORIGINS:
        text = " ".join(_of_image(header, name))
        match = SYNTHETIC.search(text)
        if match and frames == 1 and not TOMOSYNTHESIS_ONLY.search(text):
            return f"{name} {match[1]}"
    return None


def _tomosynthesis(header: Header, frames: int) -> str | None:
    """By SOP class, frames, ImageType and descriptions, whatever the container."""
    if named := _TOMOSYNTHESIS_CLASSES.get(header.text("SOPClassUID")):
        return named
    types = {text.upper() for keyword in ("ImageType", "FrameType") for text in header.texts(keyword)}
    if any(_TOMOSYNTHESIS_TYPES.fullmatch(text) for text in types) or header.term("VolumetricProperties") == "VOLUME":
        return "a tomosynthesis image"
    if any(TOMOSYNTHESIS.search(" ".join(_of_image(header, name))) for name in _ORIGINS):
        return "a tomosynthesis image"
    if any(_says_3d(header, name) for name in _ORIGINS) and not _is_original(header, frames):
        return "a tomosynthesis image"
    return "a tomosynthesis volume or another multi-frame object" if frames > 1 else None
