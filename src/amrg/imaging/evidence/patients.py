"""Whose an image is: one woman beyond doubt, or nobody's that another exam could be compared with."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from amrg.core.hashing import sha256_of_text
from amrg.imaging.header import Header

# CBIS-DDSM gives every view a study and a patient of its own: `Mass-Test_P_00173_LEFT_CC`.
PER_VIEW_ID = re.compile(r"^(?P<patient>.+?)_(?:LEFT|RIGHT)_(?:CC|MLO)(?:_\d+)?$")
_PLACEHOLDER = re.compile(
    r"ANON\w*|UNKNOWN|NONE|NULL|N/?A|NOT[ _-]?AVAILABLE|NO[ _-]?(ID|NAME)|DE-?IDENTIFIED|REMOVED|PATIENT([ _-]?ID)?|"
    r"X+|0+|-+|\*+|\?+|TEST"
)
_TAGS = {
    "name": "PatientName (0010,0010)",
    "birth_date": "PatientBirthDate (0010,0030)",
    "sex": "PatientSex (0010,0040)",
}


@dataclass(frozen=True)
class Patient:
    """What a header says of its patient; empty where it says nothing or only a placeholder.

    `spelling` is PatientID as it stands; `identifier` is without spaces and HL7 components.
    """

    spelling: str = ""
    identifier: str = ""
    issuer: str = ""
    name: tuple[str, ...] = ()
    birth_date: datetime.date | None = None
    sex: str = ""

    @property
    def key(self) -> str:
        """A hash of identifier and issuer, never the identifier itself; empty without an identifier."""
        if not self.identifier:
            return ""
        return sha256_of_text(*((self.issuer,) if self.issuer else ()), self.identifier)[:16]


def patient_of(header: Header) -> Patient:
    """The patient of a header: PatientID with its issuer (PS3.3 C.7.1.1), name, birth date and sex."""
    spelling = header.text("PatientID")
    parts = spelling.split("^")
    issuer = header.text("IssuerOfPatientID")
    for item in header.sequence("IssuerOfPatientIDQualifiersSequence"):
        issuer = issuer or item.text("UniversalEntityID")
    if not issuer and len(parts) > 3:  # HL7 v2 CX: id^check digit^scheme^assigning authority
        issuer = parts[3].split("&")[0]
    identifier = parts[0].strip()
    if (per_view := PER_VIEW_ID.match(identifier)) is not None:
        identifier = per_view["patient"]
    sex = header.term("PatientSex")
    return Patient(
        spelling,
        "" if _PLACEHOLDER.fullmatch(identifier.upper()) else identifier,
        issuer.strip().casefold(),
        _name(header.text("PatientName"), identifier),
        date_in(header.text("PatientBirthDate")),
        sex if sex in ("F", "M") else "",
    )


def _name(text: str, identifier: str) -> tuple[str, ...]:
    """The parts of a name in no order, without case and accents; empty for the identifier or a placeholder."""
    first = text.split("=", maxsplit=1)[0].strip()
    if (per_view := PER_VIEW_ID.match(first)) is not None:
        first = per_view["patient"]
    if not first.isprintable():  # damaged, or of a character set that the file does not name
        return ()
    if first == identifier or _PLACEHOLDER.fullmatch(first.upper()):
        return ()
    plain = "".join(c for c in unicodedata.normalize("NFKD", first.casefold()) if not unicodedata.combining(c))
    return tuple(sorted(part for part in re.split(r"[\s^,.]+", plain) if part))


def date_in(text: str) -> datetime.date | None:
    """A DICOM date, `20200131` or `2020.01.31` of ACR-NEMA; None where it is absent or malformed."""
    try:
        return datetime.datetime.strptime(text.strip().replace(".", ""), "%Y%m%d").date()
    except ValueError:
        return None


def contradictions(one: Patient, other: Patient) -> list[str]:
    """The attributes in which two patients cannot be the same: both state it, and differently."""
    found = []
    for field, tag in _TAGS.items():
        a, b = getattr(one, field), getattr(other, field)
        if a and b and not (_compatible(a, b) if field == "name" else a == b):
            found.append(tag)
    return found


def _compatible(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two names can be one: the same parts, or one with a middle name more."""
    small, large = sorted((set(one), set(other)), key=len)
    return small == large or (len(small) > 1 and small < large)


def doubt(one: Patient, other: Patient) -> str | None:
    """Why two exams are not one woman's beyond doubt; None where they are."""
    if not one.identifier or not other.identifier:
        return "PatientID (0010,0020) is empty"
    if differing := contradictions(one, other):
        return f"the same PatientID (0010,0020), but another {' and '.join(differing)}"
    if one.issuer == other.issuer:
        return None
    if one.issuer and other.issuer:
        return "the same PatientID (0010,0020) of another issuer (0010,0021)"
    agreed = one.name and one.name == other.name and one.birth_date and one.birth_date == other.birth_date
    return None if agreed else "the same PatientID (0010,0020), but only one of them names its issuer (0010,0021)"


@dataclass(frozen=True)
class OnePatient:
    """The patient of a study, or why its files are not one woman's; `note` where they spell her differently."""

    patient: Patient
    refusal: str | None = None
    note: str | None = None


def one_patient(patients: Iterable[Patient]) -> OnePatient:
    """One patient of all that the files of one study name."""
    distinct = list(dict.fromkeys(patients))
    fullest = max(distinct, key=lambda p: (bool(p.identifier), bool(p.issuer), len(p.name), p.birth_date is not None))
    spellings = {(p.identifier, p.issuer, p.spelling) for p in distinct}
    for one, other in combinations(distinct, 2):
        if differing := contradictions(one, other):
            return OnePatient(fullest, f"{' and '.join(differing)} differ")
        same = _loose(one.identifier) == _loose(other.identifier) and (
            one.issuer == other.issuer or not (one.issuer and other.issuer)
        )
        agreed = bool(one.name and other.name and one.birth_date and one.birth_date == other.birth_date)
        empty = not one.identifier or not other.identifier
        if not (same or agreed or empty):
            return OnePatient(fullest, "PatientID (0010,0020) differs, and name and birth date do not settle it")
    note = f"PatientID (0010,0020) is spelled in {len(spellings)} ways: read as one patient"
    return OnePatient(fullest, note=note if len(spellings) > 1 else None)


def _loose(identifier: str) -> str:
    """An identifier without what spellings differ in: case, spaces, dashes, leading zeros."""
    return re.sub(r"[\s_.-]", "", identifier).casefold().lstrip("0")
