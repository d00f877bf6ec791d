"""Which cases a split must keep together: those of one patient, those of one report text."""

from __future__ import annotations

import re
import unicodedata

from amrg.core.hashing import sha256_of_text

_TEXT, _CASE = "text-", "case-"
_WORD = re.compile(r"\w+")


def fold(text: str) -> tuple[str, ...]:
    """The words and numbers of a text: NFKC, case folded, punctuation and white space dropped, digits kept."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def patient_group(dataset: str, patient: str) -> str:
    """The group of a patient: a hash, so that no patient's own number leaves the data set."""
    return "patient-" + sha256_of_text(dataset, patient)[:16]


def text_group(text: str) -> str:
    """The group of all cases with the same report text, for data sets that name no patient."""
    return _TEXT + sha256_of_text(" ".join(fold(text)))[:16]


def case_group(key: str) -> str:
    """The group of a case alone, where neither patient nor text is known."""
    return f"{_CASE}{key}"


def is_patient(group: str) -> bool:
    """Whether a group is a patient (or an examination), not only a text or a case."""
    return not group.startswith((_TEXT, _CASE))
