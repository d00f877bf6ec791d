"""Who observed, TID 1001 and 1002 of PS3.16: the device that drafted, and the person who signed."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from amrg.birads import ReportVersion
from amrg.delivery.dicom import items
from amrg.delivery.dicom.identity import device_uid

ENGLISH = Code("en", "RFC5646", "English")


def language() -> Dataset:
    """TID 1204: the language of what follows."""
    return items.code(items.CONCEPT_MODIFIER, codes.DCM.LanguageOfContentItemAndDescendants, ENGLISH)


def observers(version: ReportVersion) -> Iterator[Dataset]:
    """The device, TID 1004, and where a person signed or withdrew, that person, TID 1003."""
    relation, made = items.OBSERVATION_CONTEXT, version.draft.report.provenance
    yield items.code(relation, codes.DCM.ObserverType, codes.DCM.Device)
    yield items.uid_reference(relation, codes.DCM.DeviceObserverUID, device_uid(version))
    yield items.text(relation, codes.DCM.DeviceObserverName, "amrg" if made is None else made.model)
    yield items.text(relation, codes.DCM.DeviceObserverManufacturer, "amrg")
    if made is not None:
        yield items.text(relation, codes.DCM.DeviceObserverModelName, made.software)
    if version.signature is None:
        return
    yield items.code(relation, codes.DCM.ObserverType, codes.DCM.Person)
    yield items.person(relation, codes.DCM.PersonObserverName, version.signature.name)
    yield items.text(relation, codes.DCM.PersonObserverOrganizationName, version.signature.organization)
