"""A report as an ORU^R01 message of HL7 v2.5.1 (chapter 7.3.1): the study's patient and order, the report as text."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterator, Sequence

from hl7apy.base_datatypes import FT
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message, Segment
from pydicom.dataset import Dataset

from amrg.birads.lexicon import Laterality, Status
from amrg.birads.report import Report
from amrg.birads.version import ReportVersion, Signature
from amrg.delivery.errors import DeliveryError
from amrg.delivery.examination import EXAM, coded_assessments
from amrg.delivery.hl7.escaping import LINE_BREAK, escape
from amrg.delivery.hl7.receiver import LineBreaks, ReceiverProfile
from amrg.delivery.source import SourceStudy, birth_date, patient_id, study_date, study_time
from amrg.delivery.statement import changed_at, statement_lines
from amrg.delivery.status import StatusCodes, status_codes

_TEXT = "18782-3^Radiology Study observation (narrative)^LN"
_STUDY = "110180^Study Instance UID^DCM"
_ASSESSMENT = "RDE1586^Assessment category^99RADELEMENT"
_COMPOSITION = "RDE1587^Breast composition category^99RADELEMENT"
_SIDE = {None: "overall", Laterality.RIGHT: "right breast", Laterality.LEFT: "left breast"}
_CODED = (*((_ASSESSMENT, str(number)) for number in range(1, 1 + len(_SIDE))), (_COMPOSITION, "1"))
"""Code and sub-identifier of every coded value: that of a breast has the same one in every version."""
_NULL = '""'  # what takes a value back (HL7 v2.5.1 2.5.3)


class _Escaped(FT):  # type: ignore[misc]  # hl7apy has no types
    """A value that is escaped already: hl7apy would escape the line breaks of a formatted text again."""

    classname = "ST"

    def to_er7(self, encoding_chars: dict[str, str] | None = None) -> str:
        """The value as it is."""
        return str(self.value)


def control_id(version: ReportVersion, source: SourceStudy) -> str:
    """MSH-10: 20 characters, the same for the same version of the same study, and for no other.

    Defaults are no part of it: a later release may have more fields, and sends what was queued before under its id.
    """
    identity = f"{source.study_instance_uid}\n{version.model_dump_json(exclude_defaults=True)}"
    return hashlib.sha256(identity.encode()).hexdigest()[:20].upper()


def oru_message(
    version: ReportVersion, source: SourceStudy, receiver: ReceiverProfile, earlier: Sequence[ReportVersion] = ()
) -> bytes:
    """The message, encoded as its MSH-18 says, without the MLLP frame. The same input gives the same bytes.

    Args:
        version: What to write.
        source: The headers of its images.
        receiver: The receiver's ways.
        earlier: Versions that may have been delivered: coded values that only they stated are taken back.

    Raises:
        DeliveryError: the study has no PatientID, or a character has no code in the receiver's character set.
    """
    message = Message("ORU_R01", version="2.5.1", validation_level=VALIDATION_LEVEL.TOLERANT)
    _fill_header(message.msh, version, source, receiver)
    result = message.add_group("ORU_R01_PATIENT_RESULT")
    _fill_patient(result.add_group("ORU_R01_PATIENT").add_segment("PID"), source.header)
    order = result.add_group("ORU_R01_ORDER_OBSERVATION")
    codes = status_codes(version.status, receiver.codes)
    _fill_order(order.add_segment("OBR"), version, source.header, codes)
    observations = _observations(version, source, receiver, earlier)
    for number, (kind, code, group, values) in enumerate(observations, start=1):
        segment = order.add_group("ORU_R01_OBSERVATION").add_segment("OBX")
        segment.obx_1, segment.obx_2, segment.obx_3, segment.obx_4 = str(number), kind, code, group
        _put(segment, values)
        segment.obx_11 = codes.taken_back if values == [_NULL] else codes.observation_status
        segment.obx_14 = _time(changed_at(version))
    return _encoded(message.to_er7(), receiver)


def _fill_header(msh: Segment, version: ReportVersion, source: SourceStudy, receiver: ReceiverProfile) -> None:
    msh.msh_3, msh.msh_4 = _plain(receiver.sending_application), _plain(receiver.sending_facility)
    msh.msh_5, msh.msh_6 = _plain(receiver.receiving_application), _plain(receiver.receiving_facility)
    msh.msh_7 = _time(changed_at(version))
    msh.msh_9, msh.msh_10 = "ORU^R01^ORU_R01", control_id(version, source)
    msh.msh_11, msh.msh_12, msh.msh_18 = receiver.processing_id, "2.5.1", receiver.character_set.value


def _fill_patient(pid: Segment, header: Dataset) -> None:
    issuer = _plain(header.get("IssuerOfPatientID", ""))
    qualifiers = header.get("IssuerOfPatientIDQualifiersSequence") or [Dataset()]
    universal = _plain(qualifiers[0].get("UniversalEntityID", ""))
    if universal:
        issuer += f"&{universal}&{_plain(qualifiers[0].get('UniversalEntityIDType', ''))}"
    pid.pid_1 = "1"
    pid.pid_3 = f"{_plain(patient_id(header))}^^^{issuer}"
    for name in _person_names(str(header.get("PatientName", ""))):
        pid.add_field("PID_5").value = name
    pid.pid_7 = birth_date(header)
    pid.pid_8 = _plain(header.get("PatientSex", "")) or "U"


def _person_names(name: str) -> Iterator[str]:
    """A DICOM person name as XPN: suffix before prefix, one repetition a group, its representation in XPN-8."""
    for group, representation in zip(name.split("="), ("A", "I", "P"), strict=False):
        if group.strip("^ "):
            family, given, middle, prefix, suffix = (_plain(part) for part in (group.split("^") + [""] * 5)[:5])
            parts = [family, given, middle, suffix, prefix, "", "L"]
            yield "^".join([*parts, representation]) if "=" in name else "^".join(parts)


def _fill_order(obr: Segment, version: ReportVersion, header: Dataset, codes: StatusCodes) -> None:
    accession = _plain(header.get("AccessionNumber", ""))
    code, meaning = EXAM[version.report.indication]
    obr.obr_1 = "1"
    obr.obr_2 = _plain(header.get("PlacerOrderNumberImagingServiceRequest", ""))
    obr.obr_3 = _plain(header.get("FillerOrderNumberImagingServiceRequest", "")) or accession
    obr.obr_4 = f"{code}^{meaning}^LN"
    obr.obr_7 = (day := study_date(header)) and day + study_time(header)
    obr.obr_18 = accession
    obr.obr_22 = _time(changed_at(version))
    obr.obr_24, obr.obr_25 = "RAD", codes.result_status
    if version.signature is not None:
        obr.obr_32 = _interpreter(version.signature)


def _interpreter(signature: Signature) -> str:
    """OBR-32.1, the principal result interpreter: a person (CNN) in subcomponents."""
    family, given, middle, prefix, suffix = (_plain(part) for part in (signature.name.split("^") + [""] * 5)[:5])
    return "&".join([_plain(signature.identifier), family, given, middle, suffix, prefix])


Observation = tuple[str, str, str, list[str]]
"""A type (OBX-2), a code (OBX-3), a sub-identifier (OBX-4) and escaped values (OBX-5)."""


def _observations(
    version: ReportVersion, source: SourceStudy, receiver: ReceiverProfile, earlier: Sequence[ReportVersion]
) -> Iterator[Observation]:
    yield "ST", _STUDY, "1", [_plain(source.study_instance_uid)]
    stated = {} if version.status is Status.WITHDRAWN else dict(_coded(version.report))
    # A correction and a withdrawal replace a report whatever it stated, also where it is not here (`amrg deliver`).
    replaces = version.status in (Status.AMENDED, Status.WITHDRAWN)
    former = set(_CODED) if replaces else {key for before in earlier for key, _ in _coded(before.report)}
    for key in _CODED:
        if key in stated or key in former:
            yield "CWE", *key, [stated.get(key, _NULL)]
    yield from _text(version, receiver.line_breaks)


def _coded(report: Report) -> Iterator[tuple[tuple[str, str], str]]:
    """The coded values of a report, by code and sub-identifier."""
    for assessment in coded_assessments(report):
        number = str(1 + list(_SIDE).index(assessment.laterality))
        side = _SIDE[assessment.laterality]
        yield (_ASSESSMENT, number), f"{assessment.category}^BI-RADS {assessment.category}, {side}^99BIRADS"
    if report.composition is not None:
        yield (_COMPOSITION, "1"), f"{report.composition}^BI-RADS composition {report.composition}^99BIRADS"


def _text(version: ReportVersion, breaks: LineBreaks) -> Iterator[Observation]:
    lines = [escape(line) for line in statement_lines(version)]
    if breaks is LineBreaks.FORMATTED:
        yield "FT", _TEXT, "1", [LINE_BREAK.join(lines)]
    elif breaks is LineBreaks.REPETITIONS:
        yield "TX", _TEXT, "1", lines
    else:
        for number, line in enumerate(lines, start=1):
            yield "TX", _TEXT, str(number), [line]


def _put(segment: Segment, values: list[str]) -> None:
    """Set OBX-5; free text goes in as it is escaped here."""
    if segment.obx_2.value == "CWE":
        segment.obx_5 = values[0]
        return
    for value in values:
        field = segment.add_field("OBX_5")
        field.value = "x"
        next(iter(next(iter(field.children)).children)).value = _Escaped(value)


def _plain(value: object) -> str:
    """An identifier or a name as a field has it: control characters, which it may not contain, become spaces."""
    return escape(re.sub(r"[\x00-\x1f\x7f]", " ", str(value or "")).strip())


def _time(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y%m%d%H%M%S+0000")


def _encoded(text: str, receiver: ReceiverProfile) -> bytes:
    try:
        return (text.rstrip("\r") + "\r").encode(receiver.character_set.codec)
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise DeliveryError(
            f"the message has U+{ord(character):04X}, which {receiver.character_set.value} does not have; "
            f"set the receiver's character set to {receiver.character_set.UTF8.value}"
        ) from error
