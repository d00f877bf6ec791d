"""An image without its patient: the Basic Application Level Confidentiality Profile (PS3.15 Annex E).

The table of attributes and what is done to each are dicom-anonymizer's (PS3.15 2026c). They are applied here to every
item of every sequence, with keyed pseudonyms and moved dates, and what the table does not know is not trusted: private,
unknown and free-text attributes go. Options: Retain Longitudinal Temporal Information With Modified Dates (113107) and
Retain Patient Characteristics (113108). See docs/decisions/0037.
"""

from __future__ import annotations

import datetime
import functools
import re
import warnings
from collections.abc import Callable, Iterator

from dicomanonymizer import simpledicomanonymizer as table
from pydicom.datadict import dictionary_has_tag, repeater_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    UID_dictionary,
)

from amrg.core.errors import AmrgError
from amrg.service.research.pseudonyms import Pseudonyms

METHOD = "PS3.15 Annex E, basic profile with moved dates, by amrg"
_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
_MAMMOGRAMS = {
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
}
"""Classes whose devices write no text into the pixels unless they say so."""

_KEPT = {Tag(t) for t in (0x00100040, 0x00101010, 0x00101020, 0x00101030, 0x00102160, 0x001021A0, 0x001021C0)}
"""Sex, age, size, weight, ethnic group, smoking and pregnancy status: what option 113108 keeps as it is."""
_AGE, _BIRTH_DATE, _OLDEST = Tag("PatientAge"), Tag("PatientBirthDate"), 89
_FREE_TEXT = ("LT", "ST", "UT", "PN", "AE", "UR", "UN")
_WORDS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "OB", "UN")
_IDENTIFIERS = (
    "PatientID",
    "OtherPatientIDs",
    "MedicalRecordLocator",
    "AccessionNumber",
    "InstitutionName",
    "PatientAddress",
    "PatientTelephoneNumbers",
)
_MAKERS = {Tag("Manufacturer"), Tag("ManufacturerModelName")}  # kept, and companies have people's names
_PIXELS = 0x7FE0  # group
_BIT_POSITION = 0x0102  # element of an overlay's group
_LONGEST = 2**16  # bytes of an element that are searched; pixels are longer

Rule = Callable[[Dataset, tuple[int, int]], None]


class Identifiable(AmrgError):
    """An image that may still show whose it is; it must not be exported."""


def deidentify(ds: FileDataset, pseudonyms: Pseudonyms) -> None:
    """Take out of an image, in place and with its file meta, what says whose it is.

    Raises:
        Identifiable: something in it, or in its pixels, may still do so.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that the standard does not allow are replaced like others
        _require_clean_pixels(ds)
        words = set(_identifying(ds))
        _clean(ds, pseudonyms)
        _state(ds, pseudonyms)
        if (left := next(_remaining(ds, words), None)) is not None:
            raise Identifiable(f"{left} has a name or number of the patient after de-identification")


def _require_clean_pixels(ds: Dataset) -> None:
    burned_in = str(ds.get("BurnedInAnnotation") or "").strip().upper()
    if burned_in not in ("", "NO"):
        raise Identifiable("BurnedInAnnotation is YES: text in the pixels may name the patient")
    if not burned_in and ds.get("SOPClassUID") not in _MAMMOGRAMS:
        raise Identifiable("BurnedInAnnotation is not stated, and the image is no digital mammogram")
    if any(_is_overlay(tag) and tag.element == _BIT_POSITION and ds[tag].value for tag in list(ds.keys())):
        raise Identifiable("an overlay is in unused bits of the pixels, and may have text")


def _is_overlay(tag: BaseTag) -> bool:
    return bool(tag.group & 0xFF01 == 0x6000)


@functools.cache
def _rules() -> dict[tuple[int, ...], Rule]:
    rules: dict[tuple[int, ...], Rule] = table.initialize_actions("dicomfields_2026c")
    return rules


def _rule_of(tag: BaseTag) -> Rule | None:
    """What the table does to an attribute; None where it does not name it."""
    if _is_overlay(tag) or tag.group & 0xFF01 == 0x5000:  # overlays and curves, of which the table names some
        return table.delete  # type: ignore[no-any-return]
    return _rules().get((tag.group, tag.element))


def _clean(ds: Dataset, pseudonyms: Pseudonyms) -> None:
    for tag in list(ds.keys()):
        known = dictionary_has_tag(tag) or repeater_has_tag(tag)
        if tag.is_private or not known or tag.element == 0:
            del ds[tag]
            continue
        if tag.group != _PIXELS:  # those stay on the disk until they are written
            _clean_element(ds, ds[tag], pseudonyms)


def _clean_element(ds: Dataset, element: DataElement, pseudonyms: Pseudonyms) -> None:
    tag, rule = element.tag, _rule_of(element.tag)
    if tag in _KEPT:
        if tag == _AGE:
            element.value = _age(element.value)
    elif element.VR == "SQ":
        _clean_sequence(ds, element, rule, pseudonyms)
    elif element.VR == "UI":
        _replace(element, lambda uid: uid if UID(uid) in UID_dictionary else pseudonyms.uid(uid))
    elif tag == _BIRTH_DATE:
        element.value = ""
    elif element.VR in ("DA", "DT", "TM"):
        if tag.group == 0x0010:
            del ds[tag]
        elif element.VR != "TM":
            _replace(element, lambda stamp: _moved(stamp, pseudonyms))
    elif rule is not None:
        _apply(rule, ds, tag)
    elif element.VR in _FREE_TEXT:
        del ds[tag]


def _clean_sequence(ds: Dataset, element: DataElement, rule: Rule | None, pseudonyms: Pseudonyms) -> None:
    """Items are cleaned where the table keeps them or asks for their UIDs to be replaced; others go as a whole."""
    if rule in (table.delete, table.delete_or_empty, table.delete_or_replace):
        del ds[element.tag]
    elif rule in (None, table.keep, table.delete_or_empty_or_replace_UID):
        for item in element.value:
            _clean(item, pseudonyms)
    else:
        element.value = []


def _apply(rule: Rule, ds: Dataset, tag: BaseTag) -> None:
    try:
        rule(ds, (tag.group, tag.element))
    except NotImplementedError:  # the library has no stand-in for values of this kind
        del ds[tag]


def _replace(element: DataElement, how: Callable[[str], str]) -> None:
    values = element.value if element.VM > 1 else [element.value] if element.value else []
    replaced = [how(str(value)) for value in values]
    element.value = replaced if len(replaced) > 1 else replaced[0] if replaced else ""


def _moved(stamp: str, pseudonyms: Pseudonyms) -> str:
    """A date or date with time, moved; empty where it is no date. The time of the day stays."""
    plain = stamp.strip().replace(".", "", 2) if re.fullmatch(r"\d{4}\.\d\d\.\d\d", stamp.strip()) else stamp.strip()
    try:
        day = datetime.datetime.strptime(plain[:8], "%Y%m%d").date()
        return f"{pseudonyms.date(day):%Y%m%d}{plain[8:]}"
    except (ValueError, OverflowError):
        return ""


def _age(value: object) -> str:
    """An age as it is exported: above 89 years one for all."""
    text = str(value or "").strip()
    years = re.fullmatch(r"(\d{3})Y", text)
    if years is not None and int(years[1]) > _OLDEST:
        return f"{_OLDEST + 1:03d}Y"
    return text if re.fullmatch(r"\d{3}[DWMY]", text) else ""


def _state(ds: FileDataset, pseudonyms: Pseudonyms) -> None:
    """Whose image it is now, and what was done; a file meta of its own, and nothing in the preamble."""
    ds.PatientID = ds.PatientName = pseudonyms.patient_id
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", METHOD
    ds.LongitudinalTemporalInformationModified = "MODIFIED"
    ds.DeidentificationMethodCodeSequence = [_coded(value, meaning) for value, meaning in _CODES]
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta, ds.preamble = meta, b"\0" * 128


def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _identifying(ds: Dataset) -> Iterator[str]:
    """Names and numbers that must not be in the result: words of persons' names, identifiers, the institution."""
    identifiers = {Tag(keyword) for keyword in _IDENTIFIERS}
    for element in _elements(ds):
        if element.VR == "PN":
            for word in re.split(r"[\s^=\\,\[\]']+", str(element.value or "")):
                if len(word) > 2 and not word.isdecimal():
                    yield word.casefold()
        elif element.tag in identifiers:
            for value in element.value if element.VM > 1 else [element.value]:
                if len(text := str(value or "").strip()) > 3:
                    yield text.casefold()


def _elements(ds: Dataset) -> Iterator[DataElement]:
    """All elements but pixels, those of nested items too."""
    for tag in list(ds.keys()):
        if tag.group == _PIXELS:
            continue
        yield (element := ds[tag])
        for item in element.value if element.VR == "SQ" else ():
            yield from _elements(item)


def _remaining(ds: Dataset, words: set[str]) -> Iterator[str]:
    """Attributes of the result that have one of the words."""
    if not words:
        return
    found = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, sorted(words)))})(?![^\W_])")
    for element in _elements(ds):
        if element.VR not in _WORDS or element.tag in _MAKERS:
            continue
        value = element.value
        text = value[:_LONGEST].decode("latin-1") if isinstance(value, bytes) else str(value or "")
        if found.search(text.casefold()):
            yield element.keyword or str(element.tag)
