"""What an object repeats of its study: patient and study modules, re-encoded in UTF-8, without private attributes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from highdicom._standard_utils import get_module_attribute_map
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.valuerep import PersonName

from amrg.delivery.errors import DeliveryError

CHARACTER_SET = "ISO_IR 192"

_MODULES = ("patient", "clinical-trial-subject", "general-study", "patient-study", "clinical-trial-study")
_EMPTY_IF_UNKNOWN = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
]
"""Type 2 in the Patient (PS3.3 C.7.1.1) and General Study (C.7.2.1) modules."""
_ALSO = ("TimezoneOffsetFromUTC",)  # SOP Common; without it the study's times would be read in another time zone


def copy_patient_and_study(source: Dataset, target: Dataset) -> None:
    """Copy the patient and study of an image, value by value as text, whatever character set the image is in.

    Raises:
        DeliveryError: an attribute of the image cannot be read.
    """
    target.SpecificCharacterSet = CHARACTER_SET
    with config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a value that the PACS has stays as it is there, valid or not
        for keyword in _keywords():
            tag = tag_for_keyword(keyword)
            if tag is None or tag not in source:
                continue
            try:
                target.add(_copied(source[tag]))
            except Exception as error:  # pydicom reads values late and raises whatever its parts raise
                raise DeliveryError(
                    f"{keyword} of the study's images cannot be read; correct it in the PACS"
                ) from error
    for keyword in _EMPTY_IF_UNKNOWN:
        if keyword not in target:
            setattr(target, keyword, "")


def copy_sequence(source: Dataset, keyword: str) -> Sequence:
    """The items of a sequence as copies without private attributes; none where it is absent."""
    return Sequence([_copied_item(item) for item in source.get(keyword) or ()])


def _keywords() -> Iterable[str]:
    table = get_module_attribute_map()
    yield from (str(entry["keyword"]) for module in _MODULES for entry in table[module] if not entry["path"])
    yield from _ALSO


def _copied(element: DataElement) -> DataElement:
    if element.VR == "SQ":
        return DataElement(element.tag, "SQ", Sequence([_copied_item(item) for item in element.value or ()]))
    vr = dictionary_VR(element.tag)
    if isinstance(element.value, MultiValue):
        return DataElement(element.tag, vr, [_plain(value) for value in element.value])
    return DataElement(element.tag, vr, _plain(element.value))


def _copied_item(item: Dataset) -> Dataset:
    """An item in the character set of the whole object."""
    copied = Dataset()
    for element in item:
        if not element.tag.is_private and element.keyword != "SpecificCharacterSet":
            copied.add(_copied(element))
    return copied


def _plain(value: object) -> object:
    """A name as text: pydicom would write its bytes as they came, in the image's character set."""
    return str(value) if isinstance(value, PersonName) else value
