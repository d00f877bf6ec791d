"""Objects that are no screening views: set aside with a reason, never dropped."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
_NO_IMAGE = {"SR": "a structured report", "PR": "a presentation state", "KO": "a key object selection"}
_READ = {"MG", "OT", "CR", "DX", "SC"}  # films digitised elsewhere come as other or secondary capture
# CID 4015 "View Modifier for Mammography" (PS3.16), SNOMED CT and SRT.
_MODIFIERS: dict[str, str] = {
    "399163009": "a magnification view",
    "R-102D6": "a magnification view",
    "399055006": "a spot compression view",
    "R-102D7": "a spot compression view",
    "399209000": "an implant-displaced view",
    "R-102D5": "an implant-displaced view",
    "399110001": "a tangential view",
    "R-102C2": "a tangential view",
    "399161006": "a cleavage view",
    "R-102D2": "a cleavage view",
    "399011000": "an axillary tail view",
    "R-102D1": "an axillary tail view",
}
_WORDS = {
    "MAG": "a magnification view",
    "MAGNIFICATION": "a magnification view",
    "MAGNIFIED": "a magnification view",
    "SPOT": "a spot compression view",
    "IMPLANT DISPLACED": "an implant-displaced view",
    "SPECIMEN": "a specimen",
    "CROPPED": "a cropped image of a finding",
    "ROI MASK": "a mask of a finding",
    "BIOPSY": "a biopsy image",
    "STEREO": "a biopsy image",
}


def set_aside_reason(header: Dataset) -> str | None:
    """What kind of object it is if it is no screening view; None where it may be one."""
    modality = str(header.get("Modality", "")).strip().upper()
    if modality in _NO_IMAGE:
        return _NO_IMAGE[modality]
    if modality and modality not in _READ:
        return f"another modality: (0008,0060) is {modality}, expected MG"
    if header.get("SOPClassUID") == TOMOSYNTHESIS or _frames(header) > 1:
        return "a tomosynthesis volume or another multi-frame object"
    return _by_modifier(header) or _by_description(header)


def _frames(header: Dataset) -> int:
    try:
        return int(header.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        return 1


def _by_modifier(header: Dataset) -> str | None:
    """By View Modifier Code Sequence (0054,0222), partial view, magnification and specimen attributes."""
    for view in header.get("ViewCodeSequence") or []:
        for item in view.get("ViewModifierCodeSequence") or []:
            if (code := str(item.get("CodeValue", ""))) in _MODIFIERS:
                return _MODIFIERS[code]
    if str(header.get("PartialView", "")).upper() == "YES":
        return "a partial view"
    return "a specimen" if header.get("SpecimenDescriptionSequence") else None


def _by_description(header: Dataset) -> str | None:
    """By the names of series, view and paddle."""
    names = ("SeriesDescription", "ViewPosition", "PaddleDescription", "AcquisitionDeviceProcessingDescription")
    text = " ".join(str(header.get(name, "")) for name in names).upper()
    return next((what for word, what in _WORDS.items() if re.search(rf"\b{word}\b", text)), None)
