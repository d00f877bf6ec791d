"""Content items of a structured report, PS3.3 C.17.3."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.valuerep import DSfloat

from amrg.delivery.dicom.document import long_text
from amrg.delivery.dicom.regions import frame_read

CONTAINS = "CONTAINS"
OBSERVATION_CONTEXT = "HAS OBS CONTEXT"
CONCEPT_MODIFIER = "HAS CONCEPT MOD"
PROPERTIES = "HAS PROPERTIES"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"
ACQUISITION = "HAS ACQ CONTEXT"


def coded(code: Code) -> Dataset:
    """A coded entry, PS3.3 table 8.8-1: a value of at most 16 characters."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    if code.scheme_version:
        item.CodingSchemeVersion = code.scheme_version
    item.CodeMeaning = code.meaning.replace("\u200b", "")  # the standard's tables have break points in long words
    return item


def container(relation: str, concept: Code, children: Iterable[Dataset], template: str = "") -> Dataset:
    """CONTAINER, whose parts are separate; `template` is the identifier of its template of DCMR."""
    item = _item(relation, "CONTAINER", concept)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        item.ContentTemplateSequence = Sequence([template_identifier(template)])
    return with_children(item, children)


def template_identifier(template: str) -> Dataset:
    """An item of Content Template Sequence (0040,A504)."""
    item = Dataset()
    item.MappingResource, item.TemplateIdentifier = "DCMR", template
    return item


def text(relation: str, concept: Code, value: str, children: Iterable[Dataset] = ()) -> Dataset:
    """TEXT.

    Raises:
        DeliveryError: it has a character that DICOM cannot hold.
    """
    item = _item(relation, "TEXT", concept)
    item.TextValue = long_text(concept.meaning.lower(), value)
    return with_children(item, children)


def code(relation: str, concept: Code, value: Code, children: Iterable[Dataset] = ()) -> Dataset:
    """CODE."""
    item = _item(relation, "CODE", concept)
    item.ConceptCodeSequence = Sequence([coded(value)])
    return with_children(item, children)


def person(relation: str, concept: Code, name: str) -> Dataset:
    """PNAME."""
    item = _item(relation, "PNAME", concept)
    item.PersonName = name
    return item


def uid_reference(relation: str, concept: Code, uid: str) -> Dataset:
    """UIDREF."""
    item = _item(relation, "UIDREF", concept)
    item.UID = uid
    return item


def image_reference(relation: str, image: Dataset, concept: Code | None = None) -> Dataset:
    """IMAGE: a reference to an image of the study, of a multi-frame one to the frame that was read."""
    item, reference = _item(relation, "IMAGE", concept), reference_to(image)
    if (frame := frame_read(image)) is not None:
        reference.ReferencedFrameNumber = frame
    item.ReferencedSOPSequence = Sequence([reference])
    return item


def reference_to(image: Dataset) -> Dataset:
    """SOP Instance Reference, PS3.3 table 10-11."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = str(image.SOPClassUID)
    reference.ReferencedSOPInstanceUID = str(image.SOPInstanceUID)
    return reference


def date(relation: str, concept: Code, value: str) -> Dataset:
    """DATE."""
    item = _item(relation, "DATE", concept)
    item.Date = value
    return item


def number(relation: str, concept: Code, value: float, unit: Code) -> Dataset:
    """NUM."""
    item = _item(relation, "NUM", concept)
    measured = Dataset()
    measured.NumericValue = DSfloat(value, auto_format=True)
    measured.MeasurementUnitsCodeSequence = Sequence([coded(unit)])
    item.MeasuredValueSequence = Sequence([measured])
    return item


def coordinates(
    relation: str, concept: Code, graphic: str, points: Iterable[tuple[float, float]], children: Iterable[Dataset]
) -> Dataset:
    """SCOORD: pairs of column and row, (0, 0) the outer corner of the first pixel."""
    item = _item(relation, "SCOORD", concept)
    item.GraphicData = [value for point in points for value in point]
    item.GraphicType = graphic
    return with_children(item, children)


def by_reference(relation: str, place: tuple[int, ...]) -> Dataset:
    """A relationship to another item of the same tree, by its place: the root is 1, its second child (1, 2)."""
    item = Dataset()
    item.RelationshipType = relation
    item.ReferencedContentItemIdentifier = list(place)
    return item


def with_children(item: Dataset, children: Iterable[Dataset]) -> Dataset:
    """An item with its content; without Content Sequence where there is none."""
    content = list(children)
    if content:
        item.ContentSequence = Sequence(content)
    return item


def _item(relation: str, value_type: str, concept: Code | None) -> Dataset:
    item = Dataset()
    if relation:
        item.RelationshipType = relation
    item.ValueType = value_type
    if concept is not None:
        item.ConceptNameCodeSequence = Sequence([coded(concept)])
    return item
