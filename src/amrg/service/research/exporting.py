"""Studies for research: their images and reports without what says whose they are, as a folder that others can import.

The folder has `cases.jsonl`, as `amrg data import generic` reads it, and a folder a study with its images and
`report.json`. `cases.jsonl` is written last: it is there only for a complete export.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import Report, ReportVersion, Status, render
from amrg.core.errors import AmrgError
from amrg.core.files import atomic_write, why_taken, write_text
from amrg.service import audit
from amrg.service.database.engine import reading
from amrg.service.database.tables import InstanceRow, StudyRow, StudyState, UserRole, UserRow
from amrg.service.research.profile import Identifiable, deidentify
from amrg.service.research.pseudonyms import SECRET_FILE, Pseudonyms, read_secret
from amrg.service.settings import Settings, make_folder
from amrg.service.storage import Storage
from amrg.service.versions import newest_version, read_version

CASES = "cases.jsonl"


class ExportRefused(AmrgError):
    """An export that is not begun: who asks for it may not, or its folder is in use."""


@dataclass(frozen=True)
class ExportedStudy:
    """What became of a study: the name of its folder and its number of images, or why it was skipped."""

    study_instance_uid: str
    case: str = ""
    images: int = 0
    skipped: str = ""


@dataclass(frozen=True)
class ResearchExport:
    """An export in a person's name. Pseudonyms are the same in all exports of a project, and in no other's."""

    settings: Settings
    sessions: sessionmaker[Session]
    login: str
    folder: Path
    project: str = ""

    def run(self, studies: Sequence[str]) -> Iterator[ExportedStudy]:
        """Export studies, by Study Instance UID, each with a row of the audit trail before its files are in place.

        Raises:
            ExportRefused: the person is no active administrator, or the folder has something.
            SecretError: the secret of the settings' folder cannot be used.
            OSError: the folder cannot be written.
        """
        with reading(self.sessions) as session:
            _require_administrator(session, self.login)
        if (taken := why_taken(self.folder)) is not None:
            raise ExportRefused(taken)
        make_folder(self.settings.folder)
        secret = read_secret(self.settings.folder / SECRET_FILE)
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for uid in studies:
            try:
                done, line = self._study(uid, secret)
            except Identifiable as why:
                yield ExportedStudy(uid, skipped=str(why))
                continue
            lines.append(line)
            yield done
        write_text(self.folder / CASES, lines)

    def _study(self, uid: str, secret: bytes) -> tuple[ExportedStudy, str]:
        with reading(self.sessions) as session:
            study = session.scalars(select(StudyRow).where(StudyRow.study_instance_uid == uid)).one()
            version = _report_of(session, study)
            files = _images(session, Storage(self.settings.images), study, version)
            pseudonyms = Pseudonyms(secret, self.project, study.patient_key or uid)
        case = pseudonyms.name("study", uid)
        names = {sop: f"{number}.dcm" for number, sop in enumerate(files, 1)}
        contents = [(names[sop], _image(file, pseudonyms)) for sop, file in files.items()]
        report = _report(version.report, pseudonyms)
        with self.sessions.begin() as session:
            detail = {"case": case, "images": len(files), "version": version.number, "project": self.project}
            audit.append(session, self.login, "export deidentified", uid, detail)
        place = self.folder / case
        place.mkdir()
        for name, image in contents:
            with atomic_write(place / name) as partial:
                image.save_as(partial, enforce_file_format=True)
        document = _document(version, report, names)
        write_text(place / "report.json", [json.dumps(document, indent=2, ensure_ascii=False)])
        line = {
            "id": case,
            "files": [f"{case}/{name}" for name in names.values()],
            "text": report.narrative,
            "patient": pseudonyms.patient_id,
            "labels": {"status": str(version.status), "version": str(version.number)},
        }
        return ExportedStudy(uid, case, len(files)), json.dumps(line, ensure_ascii=False)


def studies_in_state(session: Session, state: StudyState) -> list[str]:
    """The Study Instance UIDs of all studies in a state, in the order in which they arrived."""
    return list(
        session.scalars(select(StudyRow.study_instance_uid).where(StudyRow.state == state).order_by(StudyRow.id))
    )


def _require_administrator(session: Session, login: str) -> None:
    user = session.scalars(select(UserRow).where(UserRow.name == login.lower())).one_or_none()
    if user is None or not user.active or user.role is not UserRole.ADMINISTRATOR:
        raise ExportRefused(f"user {login}: not an active administrator; only administrators export for research")


def _report_of(session: Session, study: StudyRow) -> ReportVersion:
    """The newest version of a study's report; `Identifiable` says why it cannot be exported."""
    row = newest_version(session, study)
    if study.state is StudyState.CONFLICT:
        raise Identifiable("its images name several patients; decide whose they are first")
    if row is None or row.superseded:
        raise Identifiable(f"no report; the study is {study.state}")
    version = read_version(row)
    if version.status is Status.WITHDRAWN:
        raise Identifiable("its report was withdrawn")
    return version


def _images(session: Session, storage: Storage, study: StudyRow, version: ReportVersion) -> dict[str, Path]:
    """The files of the images that a report is of, by SOP Instance UID."""
    wanted = [image.sop_instance_uid for image in version.draft.study.images] if version.draft.study else []
    rows = session.scalars(
        select(InstanceRow).where(
            InstanceRow.study_id == study.id,
            InstanceRow.current,
            InstanceRow.set_aside == "",
            InstanceRow.sop_instance_uid.in_(wanted),
        )
    )
    found = {row.sop_instance_uid: storage.path_of(row.path) for row in rows}
    if not wanted or (missing := [uid for uid in wanted if uid not in found]):
        count = f"{len(missing)} of {len(wanted)}" if wanted else "the"
        raise Identifiable(f"{count} images of its report are not stored")
    return {uid: found[uid] for uid in wanted}


def _image(file: Path, pseudonyms: Pseudonyms) -> pydicom.FileDataset:
    try:
        image = pydicom.dcmread(file, defer_size="1 MB")
        deidentify(image, pseudonyms)
    except Identifiable:
        raise
    except (InvalidDicomError, OSError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        raise Identifiable(f"an image cannot be read ({type(error).__name__})") from error
    return image


def _report(report: Report, pseudonyms: Pseudonyms) -> Report:
    """A report's coded facts with their text, rendered again: what a person typed may name somebody."""
    comparison = report.comparison
    if comparison is not None and comparison.prior_date is not None:
        comparison = comparison.model_copy(update={"prior_date": pseudonyms.date(comparison.prior_date)})
    facts = report.model_copy(update={"comparison": comparison, "narrative": "", "provenance": None})
    return facts.model_copy(update={"narrative": render(facts)})


def _document(version: ReportVersion, report: Report, names: dict[str, str]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "status": str(version.status),
        "version": version.number,
        "report": report.model_dump(mode="json"),
        "boxes": [
            {"finding": box.finding, "file": names[box.sop_instance_uid], "box": box.box.model_dump(mode="json")}
            for box in version.boxes
            if box.sop_instance_uid in names
        ],
    }
