"""ORU^R01: valid by hl7apy, the text comes back, bytes agree with MSH-18 (rows 39 to 41)."""

from __future__ import annotations

import pytest
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config

from amrg.birads import Assessment, Category, Laterality, Report, ReportVersion, Status
from amrg.delivery.errors import DeliveryError
from amrg.delivery.formats import FORMATS, Outgoing
from amrg.delivery.hl7.escaping import escape
from amrg.delivery.hl7.message import control_id, oru_message
from amrg.delivery.hl7.receiver import CharacterSet, LineBreaks, ReceiverCodes, ReceiverProfile
from amrg.delivery.source import SourceStudy
from amrg.delivery.statement import statement_lines
from tests.delivery.exams import REPORT, SEVERAL, a_source, a_version
from tests.delivery.hl7.unescaping import unescape

SOURCE = a_source()
HARD = "& ^ ~ \\ | \\.br\\ \\F\\\ta tab\r\nhttps://example.org/?a=1&b=2\nOBX|1|TX|no segment\n\nMüller ≥ 5 mm µ 日本 Ж"


def segments(message: bytes, name: str, codec: str = "utf-8") -> list[list[str]]:
    """The fields of the segments of a name; those of MSH count from MSH-2."""
    found = [line.split("|") for line in message.decode(codec).split("\r")]
    return [fields for fields in found if fields[0] == name]


def text_of(message: bytes, profile: ReceiverProfile) -> list[str]:
    """The lines of the report, read back by the profile's way of breaking them."""
    texts = [f[5] for f in segments(message, "OBX", profile.character_set.codec) if f[3].startswith("18782-3^")]
    if profile.line_breaks is LineBreaks.FORMATTED:
        (formatted,) = texts
        return unescape(formatted).split("\n")
    parts = texts[0].split("~") if profile.line_breaks is LineBreaks.REPETITIONS else texts
    return [unescape(part) for part in parts]


@given(st.text(st.characters(codec="utf-8")))
@settings(max_examples=300, deadline=None)
def test_any_text_comes_back_and_nothing_in_it_ends_a_field_or_a_frame(text: str) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    assert not set(escaped) & set("|^&~\r\n\x0b\x1c")


@pytest.mark.parametrize("line_breaks", LineBreaks)
@pytest.mark.parametrize("status", Status)
def test_a_message_is_valid_and_its_text_comes_back(status: Status, line_breaks: LineBreaks) -> None:
    profile, version = ReceiverProfile(line_breaks=line_breaks), a_version(status, text=HARD)
    message = oru_message(version, SOURCE, profile)
    parsed = parse_message(message.decode(), find_groups=True)
    assert parsed.validate() is True
    assert text_of(message, profile) == statement_lines(version)
    assert parsed.msh.msh_10.value == control_id(version, SOURCE)
    assert message == oru_message(version, SOURCE, profile)


def test_a_second_library_reads_the_same_text() -> None:
    hl7 = pytest.importorskip("hl7", reason="python-hl7 is not installed")
    version = a_version(text=HARD)
    parsed = hl7.parse(oru_message(version, SOURCE, ReceiverProfile(line_breaks=LineBreaks.SEGMENTS)).decode())
    lines = [parsed.unescape(str(s[5])) for s in parsed.segments("OBX") if str(s[3]).startswith("18782-3")]
    assert lines == statement_lines(version)


@pytest.mark.parametrize(
    ("status", "result", "observation"),
    [
        (Status.DRAFT, "P", "P"),
        (Status.FINAL, "F", "F"),
        (Status.AMENDED, "C", "C"),
        (Status.APPENDED, "C", "C"),
        (Status.WITHDRAWN, "X", "W"),
    ],
)
def test_status_of_order_and_observations(status: Status, result: str, observation: str) -> None:
    message = oru_message(a_version(status), SOURCE, ReceiverProfile())
    assert segments(message, "OBR")[0][25] == result
    assert {fields[11] for fields in segments(message, "OBX") if fields[5] != '""'} == {observation}


@pytest.mark.parametrize(
    ("status", "codes", "expected"),
    [
        (Status.AMENDED, ReceiverCodes.STANDARD, {"1": "D", "2": "C", "3": "D", "composition": "D"}),
        (Status.AMENDED, ReceiverCodes.FPC, {"1": "C", "2": "C", "3": "C", "composition": "C"}),
        (Status.WITHDRAWN, ReceiverCodes.STANDARD, {"1": "W", "2": "W", "3": "W", "composition": "W"}),
        (Status.FINAL, ReceiverCodes.STANDARD, {"2": "F"}),
    ],
)
def test_coded_values_that_a_version_no_longer_states_are_taken_back(
    status: Status, codes: ReceiverCodes, expected: dict[str, str]
) -> None:
    version = a_version(status)
    right = Assessment(category=Category.BENIGN, laterality=Laterality.RIGHT)
    report = version.report.model_copy(update={"assessments": (right,), "composition": None})
    message = oru_message(version.model_copy(update={"report": report}), SOURCE, ReceiverProfile(codes=codes))
    coded = [fields for fields in segments(message, "OBX") if fields[2] == "CWE"]
    found = {f[4] if f[3].startswith("RDE1586") else "composition": (f[11], f[5]) for f in coded}
    assert {key: state for key, (state, _) in found.items()} == expected
    stated = {key for key, (_, value) in found.items() if value != '""'}
    assert stated == (set() if status is Status.WITHDRAWN else {"2"})


def coded(message: bytes) -> dict[tuple[str, str], tuple[str, str]]:
    """Value and status of every coded observation, by the first words of its meaning and its sub-identifier."""
    found = [fields for fields in segments(message, "OBX") if fields[2] == "CWE"]
    return {(f[3].split("^")[1], f[4]): (f[5].split("^")[0], f[11]) for f in found}


def test_a_breast_with_two_categories_has_the_most_suspicious_one() -> None:
    version = a_version(report=REPORT.model_copy(update={"assessments": SEVERAL}))
    message = oru_message(version, SOURCE, ReceiverProfile())
    assert coded(message) == {
        ("Assessment category", "2"): ("5", "F"),
        ("Assessment category", "3"): ("1", "F"),
        ("Breast composition category", "1"): ("b", "F"),
    }


@pytest.mark.parametrize("status", [Status.PRELIMINARY, Status.FINAL, Status.APPENDED])
def test_what_only_an_earlier_version_stated_is_taken_back(status: Status) -> None:
    overall = REPORT.model_copy(update={"assessments": (Assessment(category=Category.BENIGN),), "composition": None})
    version = a_version(status, overall)
    state = "P" if status is Status.PRELIMINARY else "F" if status is Status.FINAL else "C"
    message = FORMATS["hl7"].write(Outgoing(version, SOURCE, earlier=(a_version(Status.DRAFT),)))
    assert coded(message) == {
        ("Assessment category", "1"): ("2", state),
        ("Assessment category", "2"): ('""', "D"),
        ("Assessment category", "3"): ('""', "D"),
        ("Breast composition category", "1"): ('""', "D"),
    }
    assert coded(oru_message(version, SOURCE, ReceiverProfile())) == {("Assessment category", "1"): ("2", state)}


def test_patient_order_and_signer() -> None:
    message = oru_message(a_version(), a_source(PatientName="O'Neil & Co^Ann^B^Dr^PhD"), ReceiverProfile())
    (pid,), (obr,) = segments(message, "PID"), segments(message, "OBR")
    assert pid[3] == "1001^^^HOSPITAL"
    assert pid[5] == "O'Neil \\T\\ Co^Ann^B^PhD^Dr^^L"
    assert (pid[7], pid[8]) == ("19600102", "F")
    assert (obr[3], obr[18], obr[7]) == ("A-77", "A-77", "20260130101112")
    assert obr[32] == "4711&Müller&Anna&&&Dr."


def test_name_groups_are_repetitions() -> None:
    message = oru_message(a_version(), a_source(PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう"), ReceiverProfile())
    names = segments(message, "PID")[0][5].split("~")
    assert [name.split("^")[7] for name in names] == ["A", "I", "P"]


def test_bytes_agree_with_msh_18() -> None:
    version = a_version(text="Müller: 5 mm")
    latin = oru_message(version, SOURCE, ReceiverProfile(character_set=CharacterSet.LATIN1))
    assert segments(latin, "MSH", "latin-1")[0][17] == "8859/1"
    assert b"M\xfcller: 5 mm" in latin
    utf8 = oru_message(version, SOURCE, ReceiverProfile())
    assert segments(utf8, "MSH")[0][17] == "UNICODE UTF-8"
    assert "Müller: 5 mm".encode() in utf8


def test_a_character_that_does_not_fit_stops_the_message() -> None:
    with pytest.raises(DeliveryError, match=r"U\+2265.*8859/1"):
        oru_message(a_version(text="≥ 5 mm"), SOURCE, ReceiverProfile(character_set=CharacterSet.LATIN1))


def test_twenty_kilobytes_of_text() -> None:
    text = "\n".join(f"{number}: " + "no finding & no change " * 20 for number in range(45))
    version = a_version(text=text)
    assert text_of(oru_message(version, SOURCE, ReceiverProfile()), ReceiverProfile()) == statement_lines(version)


def test_a_control_id_is_of_one_version() -> None:
    versions: list[tuple[ReportVersion, SourceStudy]] = [
        (a_version(Status.FINAL), SOURCE),
        (a_version(Status.FINAL, number=3), SOURCE),
        (a_version(Status.AMENDED), SOURCE),
        (a_version(Status.FINAL), a_source(StudyInstanceUID="1.2.9")),
    ]
    ids = [control_id(*version) for version in versions]
    assert len(set(ids)) == len(ids)
    assert all(len(number) == 20 for number in ids)


def test_a_control_id_stays_when_a_later_release_knows_more_fields() -> None:
    """A message that was queued before an upgrade is sent after it, and its answer names the id it was queued under."""

    class Later(ReportVersion):
        reviewed_by: str = ""

    version = a_version(Status.FINAL)
    assert control_id(Later.model_validate(dict(version)), SOURCE) == control_id(version, SOURCE)


@pytest.mark.parametrize("status", [Status.DRAFT, Status.FINAL])
def test_every_message_states_the_model_and_that_it_is_unsigned_or_who_signed(status: Status) -> None:
    text = "\n".join(text_of(oru_message(a_version(status), SOURCE, ReceiverProfile()), ReceiverProfile()))
    assert "Drafted by AI model amrg-embedded (amrg 0.1.0)" in text
    assert ("UNVERIFIED DRAFT" in text) == (status is Status.DRAFT)
    assert ("signed by Dr. Anna Müller, Brustzentrum Süd" in text) == (status is Status.FINAL)


def test_an_empty_report_and_a_study_with_hardly_a_header_make_a_message() -> None:
    source = a_source(PatientName="", IssuerOfPatientID="", AccessionNumber="", StudyTime="")
    message = oru_message(a_version(report=Report(), text="No finding."), source, ReceiverProfile())
    assert segments(message, "PID")[0][3:6] == ["1001", "", ""]


def test_a_report_of_nobody_is_no_message() -> None:
    with pytest.raises(DeliveryError, match="PatientID"):
        oru_message(a_version(), a_source(PatientID=" "), ReceiverProfile())


@pytest.mark.parametrize(("stated", "field"), [("1960.01.02", "19600102"), ("2 January", ""), ("", "")])
def test_a_birth_date_is_one_or_empty(stated: str, field: str) -> None:
    with config.disable_value_validation():
        source = a_source(PatientBirthDate=stated)
    message = oru_message(a_version(Status.FINAL), source, ReceiverProfile())
    assert segments(message, "PID")[0][7] == field
