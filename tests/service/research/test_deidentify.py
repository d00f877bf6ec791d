"""Studies for research: nothing in a file, a report or a file's name says whose they are."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import SecondaryCaptureImageStorage
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import Comparison, Status
from amrg.datasets import import_dataset, importer_of, open_dataset
from amrg.imaging import read_studies
from amrg.service.database.engine import open_database, reading
from amrg.service.database.tables import AuditRow, InstanceRow, StudyRow, StudyState, UserRole
from amrg.service.intake import receive
from amrg.service.research.exporting import ExportedStudy, ExportRefused, ResearchExport
from amrg.service.research.profile import Identifiable, deidentify
from amrg.service.research.pseudonyms import LEAST_DAYS, MOST_DAYS, SECRET_FILE, Pseudonyms, SecretError, read_secret
from amrg.service.settings import Settings
from amrg.service.storage import Storage
from tests.imaging.changed import change, change_all, write_exam
from tests.service.reports import REPORT, a_draft, add_user, drafted_as

SECRETS = ("ZZTOP", "987654321", "KLINIKUM", "19600102", "20240131")
ONE = Pseudonyms(b"s" * 32, "", "patient")


def hide(ds: Dataset) -> None:
    """Put a name, a number, an institution and dates where images have been seen to have them."""
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientAge = "ZZTOP^Secret", "987654321", "19600102", "094Y"
    ds.StudyDate = ds.AcquisitionDate = "20240131"
    ds.AcquisitionDateTime, ds.StudyTime = "20240131101112.5+0100", "101112"
    ds.InstitutionName, ds.StudyDescription, ds.ImageComments = "KLINIKUM Nord", "for ZZTOP", "987654321"
    ds.OperatorsName = ["ZZTOP^Op", "Other^ZZTOP"]
    ds.PatientComments, ds.DeviceSerialNumber, ds.StationName = "ZZTOP", "KLINIKUM", "KLINIKUM"
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "76752008", "SCT", "Breast"
    item.PatientName, item.TextValue, item.Date = "ZZTOP^Nested", "seen by ZZTOP", "20240131"
    item.private_block(0x0011, "KLINIKUM", create=True).add_new(0x01, "LO", "ZZTOP")
    ds.AnatomicRegionSequence = [item]
    request = Dataset()
    request.RequestedProcedureDescription, request.ReferringPhysicianName = "ZZTOP", "Doc^ZZTOP"
    ds.RequestAttributesSequence = [request]
    block = ds.private_block(0x0019, "ZZTOP vendor", create=True)
    block.add_new(0x01, "LO", "987654321")
    block.add_new(0x02, "SQ", [item])
    ds.add_new(0x00091011, "UN", b"ZZTOP in private without a creator")
    ds.add_new(0x00180002, "LO", "ZZTOP in a tag that the standard does not have")
    ds.add_new(0x50003000, "OW", b"ZZTOP987654321")
    ds.add_new(0x60004000, "LT", "ZZTOP")
    ds.add_new(0xFFFCFFFC, "OB", b"ZZTOP ")
    ds.file_meta.SourceApplicationEntityTitle = "KLINIKUM"
    ds.file_meta.PrivateInformationCreatorUID, ds.file_meta.PrivateInformation = "1.2.3", b"ZZTOP!"
    ds.preamble = b"ZZTOP".ljust(128, b"\0")


def an_image(folder: Path, how: object = hide) -> FileDataset:
    return pydicom.dcmread(change(write_exam(folder) / "RCC.dcm", how))  # type: ignore[arg-type]


def test_nothing_of_a_patient_is_left_in_any_corner_of_a_file(tmp_path: Path) -> None:
    image = an_image(tmp_path)
    before, pixels = image.SOPInstanceUID, image.PixelData
    deidentify(image, ONE)
    image.save_as(tmp_path / "out.dcm", enforce_file_format=True)
    content = (tmp_path / "out.dcm").read_bytes()
    assert [secret for secret in (*SECRETS, before) if secret.encode() in content] == []
    back = pydicom.dcmread(tmp_path / "out.dcm")
    assert back.PixelData == pixels
    assert (back.PatientIdentityRemoved, back.PatientSex, back.PatientAge) == ("YES", "F", "090Y")
    assert [c.CodeValue for c in back.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]
    assert back.AnatomicRegionSequence[0].CodeValue == "76752008"
    moved = datetime.date(2024, 1, 31) - datetime.timedelta(days=ONE.days_back)
    assert back.StudyDate == back.AcquisitionDate == back.AcquisitionDateTime[:8] == f"{moved:%Y%m%d}"
    assert (back.StudyTime, back.AcquisitionDateTime[8:]) == ("101112", "101112.5+0100")
    assert back.SOPInstanceUID == back.file_meta.MediaStorageSOPInstanceUID == ONE.uid(before)
    assert back.SOPClassUID == image.SOPClassUID


def test_a_deidentified_exam_is_read_as_it_was(tmp_path: Path) -> None:
    folder = change_all(write_exam(tmp_path / "exam"), hide)
    (before,) = read_studies(folder).studies
    for file in folder.glob("*.dcm"):
        image = pydicom.dcmread(file)
        deidentify(image, ONE)
        image.save_as(file, enforce_file_format=True)
    (after,) = read_studies(folder).studies
    views = [[(m.laterality, m.view) for m in study.mammograms] for study in (before, after)]
    assert views[0] == views[1]
    assert len(views[0]) == 4


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "BurnedInAnnotation is YES"),
        ({"BurnedInAnnotation": "", "SOPClassUID": SecondaryCaptureImageStorage}, "not stated"),
        ({"Manufacturer": "x", "SoftwareVersions": "of Zztop, 1.0"}, "SoftwareVersions has a name"),
    ],
)
def test_an_image_that_may_show_whose_it_is_is_refused(tmp_path: Path, values: dict[str, str], why: str) -> None:
    def how(ds: Dataset) -> None:
        hide(ds)
        ds.update(values)

    with pytest.raises(Identifiable, match=why):
        deidentify(an_image(tmp_path, how), ONE)


def test_an_overlay_in_unused_bits_of_the_pixels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Identifiable, match="overlay"):
        deidentify(an_image(tmp_path, lambda ds: ds.add_new(0x60000102, "US", 12)), ONE)


@given(st.text(max_size=20), st.text(max_size=20), st.dates(datetime.date(1950, 1, 1), datetime.date(2100, 1, 1)))
def test_pseudonyms_are_stable_and_differ_by_project_and_patient(
    project: str, patient: str, day: datetime.date
) -> None:
    one, same = (Pseudonyms(b"k" * 32, project, patient) for _ in range(2))
    assert (one.patient_id, one.uid("1.2.3")) == (same.patient_id, same.uid("1.2.3"))
    others = (Pseudonyms(b"k" * 32, project + "x", patient), Pseudonyms(b"x" * 32, project, patient))
    assert one.patient_id not in {other.patient_id for other in others}
    assert one.uid("1.2.3") not in {other.uid("1.2.3") for other in others}
    assert re.fullmatch(r"2\.25\.\d{1,39}", one.uid("1.2.3"))
    assert LEAST_DAYS <= (day - one.date(day)).days <= MOST_DAYS


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert read_secret(file) == read_secret(file)
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        read_secret(file)
    file.chmod(0o600)
    file.write_text("short")
    with pytest.raises(SecretError, match="expected 64"):
        read_secret(file)


@pytest.fixture
def sessions(tmp_path: Path) -> sessionmaker[Session]:
    opened = open_database(f"sqlite:///{tmp_path / 'amrg.sqlite3'}")
    add_user(opened, "boss", role=UserRole.ADMINISTRATOR)
    add_user(opened)
    return opened


def store(tmp_path: Path, sessions: sessionmaker[Session], key: str, **values: object) -> tuple[Settings, str]:
    """A study of the service with a draft of its four images that compares with an earlier exam."""
    settings = Settings(folder=tmp_path)
    storage = Storage(settings.images)

    def how(ds: Dataset) -> None:
        hide(ds)
        ds.update(values)

    for file in sorted(change_all(write_exam(tmp_path / key, key), how).glob("*.dcm")):
        spool = storage.spool()
        spool.write(file.read_bytes())
        receive(sessions, storage, spool, "TEST")
        storage.done(spool)
    with reading(sessions) as session:
        study = session.scalars(select(StudyRow).order_by(StudyRow.id.desc())).first()
        assert study is not None
        uids = list(session.scalars(select(InstanceRow.sop_instance_uid).where(InstanceRow.study_id == study.id)))
    report = REPORT.model_copy(update={"comparison": Comparison(available=True, prior_date=datetime.date(2024, 1, 31))})
    drafted_as(sessions, study.study_instance_uid, a_draft(report, study.study_instance_uid, uids), "by ZZTOP\n")
    return settings, study.study_instance_uid


def test_an_export_is_complete_recorded_and_can_be_imported(tmp_path: Path, sessions: sessionmaker[Session]) -> None:
    settings, uid = store(tmp_path, sessions, "one")
    _, burned = store(tmp_path, sessions, "two", BurnedInAnnotation="YES")
    out = tmp_path / "research"
    done, left = ResearchExport(settings, sessions, "boss", out, "density").run([uid, burned])
    assert (done.images, left) == (
        4,
        ExportedStudy(burned, skipped="BurnedInAnnotation is YES: text in the pixels may name the patient"),
    )
    files = [file for file in out.rglob("*") if file.is_file()]
    assert len(files) == 6
    secret = (tmp_path / SECRET_FILE).read_text().strip()
    for file in files:
        content = file.read_bytes()
        assert [word for word in (*SECRETS, "2024-01-31", uid, secret) if word.encode() in content] == [], file
    report = json.loads((out / done.case / "report.json").read_text())
    assert (report["status"], report["boxes"][0]["file"]) == (str(Status.DRAFT), "1.dcm")
    with reading(sessions) as session:
        rows = [
            (r.actor, r.subject, r.detail["images"]) for r in session.scalars(select(AuditRow)) if "export" in r.action
        ]
    assert rows == [("boss", uid, 4)]
    list(import_dataset(importer_of("generic"), out, tmp_path / "data"))
    (case,) = open_dataset(tmp_path / "data").cases()
    assert (len(case.images), case.reference.worst) == (4, REPORT.worst)


def test_who_may_not_export_gets_nothing(tmp_path: Path, sessions: sessionmaker[Session]) -> None:
    settings, uid = store(tmp_path, sessions, "one")
    with pytest.raises(ExportRefused, match="anna: not an active administrator"):
        list(ResearchExport(settings, sessions, "anna", tmp_path / "out").run([uid]))
    assert not (tmp_path / "out").exists()
    with pytest.raises(ExportRefused, match="not empty"):
        list(ResearchExport(settings, sessions, "boss", tmp_path).run([uid]))


@pytest.mark.parametrize(("state", "why"), [(StudyState.CONFLICT, "several patients")])
def test_a_study_that_nobody_decided_is_skipped(
    tmp_path: Path, sessions: sessionmaker[Session], state: StudyState, why: str
) -> None:
    settings, uid = store(tmp_path, sessions, "one")
    with sessions.begin() as session:
        session.scalars(select(StudyRow)).one().state = state
    (left,) = ResearchExport(settings, sessions, "boss", tmp_path / "out").run([uid])
    assert why in left.skipped
