"""What kind of image an object is, by every sign that makers use; objects that are no view are set aside by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydicom.uid import UID

from amrg.imaging.evidence.codes import MODIFIER_CONCEPTS, is_specimen, modifier
from amrg.imaging.header import Header

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
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_BREAST_TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"

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
_SYNTHETIC = re.compile(
    r"(?<![A-Z])(C[ _-]?VIEW|INSIGHT[ _-]?2D|S[ _-]?VIEW|V[ _-]?PREVIEW|INTELLIGENT[ _-]?2D|3DQUORUM[ _-]?2D|AWS|"
    r"SYNTH?[ _-]?2D|S2D|2D[ _-]?SYNTH\w*|SYNTHETIC\w*|SYNTHESI[SZ]ED|GENERATED[ _-]?2D|"
    r"(?:TOMO|DBT)[ _-]?(?:GENERATED|DERIVED)[ _-]?2D)(?![A-Z])"
)
_TOMOSYNTHESIS = re.compile(
    r"(?<![A-Z])(TOMO(?!\w*[ _+/&-]*2D)\w*|DBT|BT[ _-]?(?:SLICE|VOL)\w*|SMART[ _-]?SLICE\w*|6MM[ _-]?SLAB\w*|SLABS?|"
    r"(?:1|0\.5)[ _-]?MM[ _-]?(?:PLANE|SLICE)S?|3D[ _-]?(?:MAMMO\w*|RECON\w*|VOL\w*|SLICE\w*))(?![A-Z])"
)
_NOT = r"(?<!NON[ _-])(?<!NOT[ _-])(?<!NO[ _-])(?<!W/O[ _-])(?<!WITHOUT[ _-])"
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?<![A-Z])(?:{_NOT})(?:{words})(?![A-Z])"), what)
    for words, what in (
        (r"SPECIMEN\w*|SURGICAL[ _-]SPEC\w*|CORE[ _-]?SPEC\w*", "a specimen"),
        (r"CROPPED", "a cropped image of a finding"),
        (r"ROI[ _-]MASK\w*", "a mask of a finding"),
        (
            r"STEREO\w*|BIOPSY|BX|PRE[ _-]?FIRE|POST[ _-]?FIRE|SCOUT|VACUUM[ _-]ASSISTED|PRONE[ _-]TABLE",
            "a biopsy image",
        ),
        (r"LOCALI[SZ]ATION|NEEDLE[ _-]?LOC\w*|WIRE[ _-]?LOC\w*", "a localisation image"),
        (r"GALACTO\w*|DUCTO\w*", "a galactography image"),
        (r"RECOMBINED|SUBTRACT\w*|CESM[ _-]?REC\w*|IODINE", "a recombined contrast image"),
        (r"MAG|MAGN|MAGNIFICATION|MAGNIFIED|MAGNIFY|AGRANDI\w*|VERGR\w*", "a magnification view"),
        (r"SPOT|SPOT[ _-]?COMP\w*|CONTACT[ _-]SPOT|FOCAL[ _-]COMP\w*|CONE[ _-]?DOWN|CONED", "a spot compression view"),
        (
            r"IMPLANTS?[ _-]?DISP\w*|DISPLACED|EKLUND|PUSH[ _-]?BACK|IMPL?[ _-]DISP\w*|DISPLACED[ _-]IMPLANT",
            "an implant-displaced view",
        ),
        (r"ROLLED|ROLL[ _-]?(?:LAT|MED|SUP|INF)\w*", "a rolled view"),
        (r"TANGENTIAL|TANG", "a tangential view"),
        (r"CLEAVAGE|CLEOPATRA", "a cleavage or axillary tail view"),
        (r"AXILLARY[ _-]TAIL|AXILLARY[ _-]VIEW", "an axillary tail view"),
        (r"PHANTOM[ _-]QC|QC|FLAT[ _-]?FIELD|CALIBRATION", "a quality control image"),
        (r"CAD[ _-](?:MARKS?|OVERLAY|RESULT\w*)|SCREEN[ _-]?(?:SHOT|CAPTURE|SAVE)|DOSE[ _-]REPORT", "a screen capture"),
    )
)
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
_DEVICE = "AcquisitionDeviceProcessingDescription"
_TEXTS = ("SeriesDescription", "ViewPosition", "ProtocolName", _DEVICE, "ImageComments")
_ALL_TEXTS = (*_TEXTS, "PaddleDescription", "DerivationDescription", "ImageType")
# A protocol names all that it acquires, so it says nothing of one image's origin.
_ORIGINS = ("SeriesDescription", "ViewPosition", _DEVICE, "ImageComments", "DerivationDescription")


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
    notes = tuple(f"view modifier: {_WHOLE[name]}" for name in _modifiers(header) if name in _WHOLE)
    if header.text("SOPClassUID").startswith(_SECONDARY_CAPTURE):
        return Classified(None, ImageKind.SECONDARY_CAPTURE, (*notes, "a secondary capture, no original image"))
    return Classified(None, notes=notes)


def _no_mammogram(header: Header) -> str | None:
    """By modality and SOP class."""
    modality = header.term("Modality")
    if modality in _NO_IMAGE:
        return _NO_IMAGE[modality]
    if modality and modality not in _READ:
        return f"another modality: (0008,0060) is {modality[:16]}, expected MG"
    uid = header.text("SOPClassUID")
    name = f"{UID(uid).name} " if re.fullmatch(r"[\d.]+", uid) else ""
    for part, what in _OTHER_OBJECTS.items():
        if part in name:
            return what
    if "YES" in (header.term("QualityControlImage"), header.term("CalibrationImage")):
        return "a quality control image"
    return None


def _modifiers(header: Header) -> Iterator[str]:
    """Keywords of View Modifier Code Sequence (0054,0222), in the view's item as in PS3.3 C.8.11.7 or at top level."""
    for place in (header, *header.sequence("ViewCodeSequence")):
        for item in place.sequence("ViewModifierCodeSequence"):
            yield modifier(item) or _meaning(item)


def _meaning(item: Header) -> str:
    """The keyword that the meaning of a maker's own code comes to."""
    named = _by_words(item.text("CodeMeaning").upper())
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
    if (header.number("EstimatedRadiographicMagnificationFactor") or 1.0) >= MAGNIFIED:
        return _MODIFIED["Magnification"]
    return "a partial view" if header.term("PartialView") == "YES" else None


def _by_description(header: Header, file_name: str) -> str | None:
    """By the names of series, view, protocol and paddle, and by the labels around a view in them."""
    texts = [header.text(name).upper() for name in _ALL_TEXTS]
    if found := _by_words(" | ".join(texts)):
        return found
    for text in (*(header.text(name).upper() for name in _TEXTS), file_name.upper()):
        for match in _LABEL.finditer(text):
            if label := match["after"] or match["before"]:
                return _LABELS[label]
    return None


def _by_words(text: str) -> str | None:
    return next((what for pattern, what in _WORDS if pattern.search(text)), None)


def _synthetic_sign(header: Header, frames: int) -> str | None:
    """The sign of a synthetic 2D image: ImageType, or a maker's name for one, which a stack of slices has too."""
    types = {text.upper() for keyword in ("ImageType", "FrameType") for text in header.texts(keyword)}
    if found := types & _SYNTHETIC_TYPES:
        return f"ImageType (0008,0008) {min(found)}"
    for name in _ORIGINS:
        match = _SYNTHETIC.search(header.text(name).upper())
        if match and frames == 1 and not _TOMOSYNTHESIS_ONLY.search(header.text(name).upper()):
            return f"{name} {match[1]}"
    return None


_TOMOSYNTHESIS_ONLY = re.compile(r"(?<![A-Z])(SLICES?|SLABS?|PLANES?|PROJECTIONS?|VOLUME)(?![A-Z])")


def _tomosynthesis(header: Header, frames: int) -> str | None:
    """By SOP class, frames, ImageType and descriptions, whatever the container."""
    if named := _TOMOSYNTHESIS_CLASSES.get(header.text("SOPClassUID")):
        return named
    types = {text.upper() for keyword in ("ImageType", "FrameType") for text in header.texts(keyword)}
    if any(_TOMOSYNTHESIS_TYPES.fullmatch(text) for text in types) or header.term("VolumetricProperties") == "VOLUME":
        return "a tomosynthesis image"
    if any(_TOMOSYNTHESIS.search(header.text(name).upper()) for name in _ORIGINS):
        return "a tomosynthesis image"
    return "a tomosynthesis volume or another multi-frame object" if frames > 1 else None
