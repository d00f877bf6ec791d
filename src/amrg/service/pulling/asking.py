"""What is asked of a source, and what it answers: studies, their instances, and why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from amrg.core.errors import AmrgError

_WILDCARD = re.compile(r"[*?\\]")


class NotPulled(AmrgError):
    """A source that did not answer, or did not send: it may do so later. Names no patient."""


class UnusableQuery(AmrgError):
    """A query that would find other studies than those meant."""


@dataclass(frozen=True)
class StudyQuery:
    """The studies that have all of these values; what is empty is not asked for.

    Sources read wildcards, ignore keys and pad values, so every answer is compared again.
    """

    study_instance_uid: str = ""
    accession_number: str = ""
    patient_id: str = ""
    modality: str = ""

    def __post_init__(self) -> None:
        """Refuse what a source reads as wildcards or several values (PS3.4 C.2.2.2).

        Raises:
            UnusableQuery: a value has such characters, or nothing is asked for.
        """
        if not (self.study_instance_uid or self.accession_number or self.patient_id):
            raise UnusableQuery("nothing to ask for: expected a Study Instance UID, accession number or PatientID")
        for field, value in asdict(self).items():
            if _WILDCARD.search(value):
                raise UnusableQuery(
                    f"{field} has '*', '?' or a backslash, which a source reads as a wildcard or a list"
                )

    def keys(self) -> dict[str, str]:
        """The matching keys by their keyword."""
        given = {
            "StudyInstanceUID": self.study_instance_uid,
            "AccessionNumber": self.accession_number,
            "PatientID": self.patient_id,
            "ModalitiesInStudy": self.modality,
        }
        return {keyword: value for keyword, value in given.items() if value}

    def matches(self, found: FoundStudy) -> bool:
        """Whether an answer is what was asked for."""
        return (
            self.study_instance_uid in ("", found.study_instance_uid)
            and self.accession_number in ("", found.accession_number)
            and self.patient_id in ("", found.patient_id)
            and (not self.modality or self.modality in found.modalities)
        )


@dataclass(frozen=True)
class FoundStudy:
    """A study that a source has. What it does not state is empty."""

    study_instance_uid: str
    accession_number: str = ""
    patient_id: str = ""
    issuer: str = ""
    study_date: str = ""
    modalities: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListedInstance:
    """Where an instance is; `sop_class_uid` is empty where the source does not state it."""

    series_instance_uid: str
    sop_class_uid: str = ""


Instances = Mapping[str, ListedInstance]
"""Instances by SOP Instance UID."""


class StudyPartner(Protocol):
    """What asks one source."""

    def find(self, query: StudyQuery) -> Sequence[FoundStudy]:
        """The studies of a query. Raises `NotPulled` where the source does not answer."""

    def instances(self, study_instance_uid: str) -> Instances:
        """The instances of a study, as the source lists them. Raises as above."""

    def retrieve(self, study_instance_uid: str, missing: Instances) -> str:
        """Have instances come; returns what the source answer of it. What came is what is stored, whatever it answer.

        Raises as above.
        """
