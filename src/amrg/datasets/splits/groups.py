"""Which cases must never be split apart: those of a patient, those of one report text."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_TEXT = "text-"
_WORD = re.compile(r"\w+")


def fold(text: str) -> tuple[str, ...]:
    """The words and numbers of a text: NFKC, case folded, punctuation and white space dropped, digits kept."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def patient_group(dataset: str, patient: str) -> str:
    """The group of a patient: a hash, so that no patient's own number leaves the data set."""
    return "patient-" + hashlib.sha256(f"{dataset}\n{patient}".encode()).hexdigest()[:16]


def text_group(text: str) -> str:
    """The group of all cases whose report has the same words, for data sets that name no patient."""
    return _TEXT + hashlib.sha256(" ".join(fold(text)).encode()).hexdigest()[:16]


def is_patient(group: str) -> bool:
    """Whether a group stands for a patient (or an examination) and not merely for a text."""
    return not group.startswith(_TEXT)
