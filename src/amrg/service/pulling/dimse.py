"""A source that is asked by C-FIND and sends to this node by C-MOVE (PS3.4 C, Study Root)."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pynetdicom import AE
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)

from amrg.service.pulling.asking import FoundStudy, Instances, ListedInstance, NotPulled, StudyQuery
from amrg.service.settings import DicomSource

SUCCESS, PENDING, UNKNOWN_DESTINATION = 0x0000, (0xFF00, 0xFF01), 0xA801
_RETURNED = (
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientID",
    "IssuerOfPatientID",
    "StudyDate",
    "ModalitiesInStudy",
)
_COUNTS = {
    "NumberOfCompletedSuboperations": "sent",
    "NumberOfWarningSuboperations": "sent with a warning",
    "NumberOfFailedSuboperations": "failed",
}


@dataclass(frozen=True)
class DicomPartner:
    """A station. `ae_title` is this node's: the station must know its host and port, and the node must run."""

    source: DicomSource
    ae_title: str
    tls: ssl.SSLContext | None = None

    def find(self, query: StudyQuery) -> list[FoundStudy]:
        """The studies of a query.

        Raises:
            NotPulled: the station does not answer, or does not answer as C-FIND does.
        """
        found = map(_study, self._found("STUDY", {**dict.fromkeys(_RETURNED, ""), **query.keys()}))
        return list({study.study_instance_uid: study for study in found if query.matches(study)}.values())

    def instances(self, study_instance_uid: str) -> Instances:
        """The instances of a study; level by level, since the Study Root asks for one series at a time (PS3.4 C.4.1).

        Raises:
            NotPulled: as above.
        """
        of_study = {"StudyInstanceUID": study_instance_uid}
        all_series = [
            _text(one, "SeriesInstanceUID") for one in self._found("SERIES", {**of_study, "SeriesInstanceUID": ""})
        ]
        listed = {}
        for series in dict.fromkeys(filter(None, all_series)):
            # Nothing more is asked for: what is not in their index, some stations read from the files, lost ones too.
            for one in self._found("IMAGE", {**of_study, "SeriesInstanceUID": series, "SOPInstanceUID": ""}):
                listed[_text(one, "SOPInstanceUID")] = ListedInstance(series)
        return listed

    def retrieve(self, study_instance_uid: str, missing: Instances) -> str:
        """Have instances sent to this node, by its AE title, each by itself.

        When a whole study is requested, some stations send nothing more after a file that they lost.

        Raises:
            NotPulled: the station does not answer, or does not know this node.
        """
        with self._associated(StudyRootQueryRetrieveInformationModelMove) as association:
            results = [
                self._moved(
                    association,
                    {
                        "StudyInstanceUID": study_instance_uid,
                        "SeriesInstanceUID": listed.series_instance_uid,
                        "SOPInstanceUID": uid,
                    },
                )
                for uid, listed in missing.items()
            ]
        return "; ".join(f"{results.count(one)} x {one}" for one in dict.fromkeys(results))

    def _moved(self, association: Any, keys: dict[str, str]) -> str:
        """Move an instance; returns the last status, and the counts that came with it."""
        model = StudyRootQueryRetrieveInformationModelMove
        last = Dataset()
        for status, _ in association.send_c_move(_identifier("IMAGE", keys), self.ae_title, model):
            last = status
        code = _code(last, "C-MOVE")
        if code == UNKNOWN_DESTINATION:
            raise NotPulled(f"status A801H: the source does not know the AE title {self.ae_title}; add this node there")
        counts = [f"{last[keyword].value} {word}" for keyword, word in _COUNTS.items() if keyword in last]
        return ", ".join([f"status {code:04X}H", *counts])

    def _found(self, level: str, keys: dict[str, str]) -> Iterable[Dataset]:
        answers, model = [], StudyRootQueryRetrieveInformationModelFind
        with self._associated(model) as association:
            for status, found in association.send_c_find(_identifier(level, keys), model):
                code = _code(status, "C-FIND")
                if code in PENDING and found is not None:
                    answers.append(found)
                elif code != SUCCESS:
                    raise NotPulled(f"C-FIND: status {code:04X}H")
        return answers

    @contextmanager
    def _associated(self, model: Any) -> Iterator[Any]:
        station = AE(self.ae_title)
        station.connection_timeout = station.acse_timeout = min(self.source.deadline_seconds, 30)
        station.dimse_timeout = station.network_timeout = self.source.deadline_seconds
        station.add_requested_context(model)
        tls = None if self.tls is None else (self.tls, self.source.host)
        association: Any = station.associate(
            self.source.host, self.source.port, ae_title=self.source.ae_title, tls_args=tls
        )
        if not association.is_established:
            raise NotPulled("no association: the source cannot be reached, or does not accept this node")
        try:
            yield association
        except (ValueError, RuntimeError) as error:
            raise NotPulled(f"the source does not take the request: {type(error).__name__}") from error
        finally:
            if association.is_established:
                association.release()


def _identifier(level: str, keys: dict[str, str]) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    if not all(value.isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _code(status: Dataset, service: str) -> int:
    """The status of an answer.

    Raises:
        NotPulled: there is none: the association ended, or nothing came in time.
    """
    if "Status" not in status:
        raise NotPulled(f"no answer to {service}")
    return int(status.Status)


def _text(found: Dataset, keyword: str) -> str:
    return str(found.get(keyword) or "").strip()


def _study(found: Dataset) -> FoundStudy:
    modalities = found.get("ModalitiesInStudy") or ()
    return FoundStudy(
        _text(found, "StudyInstanceUID"),
        _text(found, "AccessionNumber"),
        _text(found, "PatientID"),
        _text(found, "IssuerOfPatientID"),
        _text(found, "StudyDate"),
        tuple(map(str, modalities)) if isinstance(modalities, MultiValue | tuple) else (str(modalities),),
    )
