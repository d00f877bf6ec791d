"""Whose an image is: one woman beyond doubt, or nobody's that another exam could be compared with."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from amrg.core.hashing import sha256_of_text
from amrg.imaging.header import Header

# CBIS-DDSM gives every view a study and a patient of its own: `Mass-Test_P_00173_LEFT_CC`.
PER_VIEW_ID = re.compile(r"^(?P<patient>.+?)_(?:LEFT|RIGHT)_(?:CC|MLO)(?:_\d+)?$")
_PLACEHOLDER = re.compile(
    r"ANON\w*|UNKNOWN|NONE|NULL|N/?A|NOT[ _-]?AVAILABLE|NO[ _-]?(ID|NAME)|DE-?IDENTIFIED|REMOVED|PATIENT([ _-]?ID)?|"
    r"X+|0+|-+|\*+|\?+|TEST"
)
_LETTERS = str.maketrans({"ø": "o", "æ": "a", "œ": "o", "å": "a", "ł": "l", "đ": "d", "ð": "d"})
_TITLES = {"dr", "prof", "mr", "mrs", "ms", "miss", "frau", "mme", "sra", "dra", "jr", "sr"}
_TAGS = {
    "name": "PatientName (0010,0010)",
    "ideographic": "PatientName (0010,0010)",
    "birth_date": "PatientBirthDate (0010,0030)",
    "sex": "PatientSex (0010,0040)",
    "born": "PatientAge (0010,1010)",
}


@dataclass(frozen=True)
class Patient:
    """What a header says of its patient; empty where it says nothing or only a placeholder.

    `spelling` is PatientID as it stands; `identifier` is without spaces and HL7 components. `ideographic` are the parts
    of the name as it is written in Japan, Korea or China; `born` the years of birth that age and study date allow.
    """

    spelling: str = ""
    identifier: str = ""
    issuer: str = ""
    name: tuple[str, ...] = ()
    birth_date: datetime.date | None = None
    sex: str = ""
    ideographic: tuple[str, ...] = ()
    born: range = range(0)

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
    alphabetic, ideographic, *_ = (*header.text("PatientName").split("="), "", "")
    birth_date = date_in(header.text("PatientBirthDate"))
    return Patient(
        spelling,
        "" if _PLACEHOLDER.fullmatch(identifier.upper()) else identifier,
        issuer.strip().casefold(),
        _name(alphabetic.strip(), identifier),
        birth_date,
        sex if sex in ("F", "M") else "",
        _name(ideographic.strip(), identifier),
        range(birth_date.year, birth_date.year + 1) if birth_date else _years_by_age(header),
    )


def _years_by_age(header: Header) -> range:
    """The years of birth of a Patient's Age (0010,1010) in years on the day of the study; empty where unknown."""
    age, day = re.fullmatch(r"(\d{3})Y", header.term("PatientAge")), date_in(header.text("StudyDate"))
    if age is None or day is None or not 0 < int(age[1]) < 89:  # from 89 on de-identified files state one age for all
        return range(0)
    return range(day.year - int(age[1]) - 1, day.year - int(age[1]) + 1)


def _name(text: str, identifier: str) -> tuple[str, ...]:
    """The parts of a name in no order, without case, accents and titles; empty for the identifier or a placeholder."""
    if (per_view := PER_VIEW_ID.match(text)) is not None:
        text = per_view["patient"]
    if not text.isprintable():  # damaged, or of a character set that the file does not name
        return ()
    if text == identifier or _PLACEHOLDER.fullmatch(text.upper()):
        return ()
    text = "^".join(text.split("^")[:3])  # the fourth and fifth components are prefix and suffix (PS3.5 6.2.1.1)
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    return tuple(sorted({_spelled(part) for part in re.split(r"[\s^,.'’‐-]+", letters) if part} - _TITLES))


def _spelled(part: str) -> str:
    """A part of a name with one spelling of what `ä` and `ae` both write."""
    return re.sub(r"(?<=[aou])e", "", part)


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
        same = _SAME.get(field)
        if a and b and not (same(a, b) if same else a == b):
            found.append(tag)
    if "PatientBirthDate (0010,0030)" in found:
        found = [tag for tag in found if tag != _TAGS["born"]]
    return list(dict.fromkeys(found))


def _compatible(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two names can be one: the same parts, or one with middle names more, in full or as initials."""
    a, b = set(one), set(other)
    rest_a, rest_b = a - b - _initials(a - b, b - a), b - a - _initials(b - a, a - b)
    if a == b:
        return True
    whole = {part for part in a & b if len(part) > 1}
    return len(whole) > 1 and not (rest_a and rest_b)


def _initials(parts: set[str], full: set[str]) -> set[str]:
    """The parts that are an initial of one of the others, or that one of those is an initial of."""
    return {
        part
        for part in parts
        if any((len(part) == 1 and o.startswith(part)) or (len(o) == 1 and part.startswith(o)) for o in full)
    }


def _near(one: range, other: range) -> bool:
    """Whether years of birth agree, with a year for a mistake at a birthday."""
    return one.start <= other.stop and other.start <= one.stop


_SAME: dict[str, Callable[[Any, Any], bool]] = {"name": _compatible, "born": _near}


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
    ways = f"PatientID (0010,0020) is spelled in {len(spellings)} ways"
    note = f"{ways}: read as one patient; a report is delivered once they agree"
    return OnePatient(fullest, note=note if len(spellings) > 1 else None)


def _loose(identifier: str) -> str:
    """An identifier without what spellings differ in: case, spaces, dashes, leading zeros."""
    return re.sub(r"[\s_.-]", "", identifier).casefold().lstrip("0")
