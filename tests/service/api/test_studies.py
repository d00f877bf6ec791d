"""Studies over HTTP: a view as a picture, and whose study it is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from sqlalchemy import select

from amrg.service.database.tables import AuditRow, InstanceRow, StudyRow, StudyState
from tests.imaging.changed import write_exam
from tests.service.api.clients import API, Api, Person


def upload(reader: Person, folder: Path) -> tuple[str, list[str]]:
    """Send an exam; returns its study's UID and those of its images."""
    write_exam(folder)
    return send(reader, *sorted(folder.glob("*.dcm")))


def send(reader: Person, *files: Path) -> tuple[str, list[str]]:
    """Send the files of a study; returns its UID and those of its images."""
    parts = [b"--b\r\n\r\n" + file.read_bytes() + b"\r\n" for file in files]
    headers = {"X-CSRF-Token": reader.csrf, "Content-Type": "multipart/related; boundary=b"}
    answer = reader.client.post(f"{API}/studies", content=b"".join(parts) + b"--b--\r\n", headers=headers)
    assert answer.status_code == 200, answer.text
    (study,) = reader.get("/studies").json()["items"]
    uid = study["study_instance_uid"]
    return uid, [image["sop_instance_uid"] for image in reader.get(f"/studies/{uid}").json()["images"]]


def test_a_view_is_shown_as_a_picture(api: Api, reader: Person, tmp_path: Path) -> None:
    study, images = upload(reader, tmp_path / "exam")
    answer = reader.get(f"/studies/{study}/images/{images[0]}/picture", params={"height": 64})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert shown.height == 64
        low, high = shown.convert("L").getextrema()
        assert low < high
    assert reader.get(f"/studies/{study}/images/1.2.3/picture").status_code == 404
    image = reader.get(f"/studies/{study}").json()["images"][0]
    assert image["patient"] == reader.get(f"/studies/{study}").json()["patient"]
    assert image["rows"] > image["columns"] > 0
    for path in ("versions", "deliveries"):
        assert reader.get(f"/studies/{study}/{path}").status_code == 200
    with api.sessions() as session:
        looks = session.scalars(select(AuditRow.action).where(AuditRow.subject == study)).all()
    assert {"image read", "study read", "report versions read", "deliveries read"} <= set(looks)


def test_a_picture_is_on_the_grid_of_a_file_that_is_stored_mirrored(reader: Person, tmp_path: Path) -> None:
    write_exam(tmp_path)
    file = min(tmp_path.glob("*.dcm"))
    dataset = pydicom.dcmread(file)
    stored = np.ascontiguousarray(dataset.pixel_array[:, ::-1])
    dataset.PixelData = stored.tobytes()
    dataset.save_as(file)
    study, (image,) = send(reader, file)
    answer = reader.get(f"/studies/{study}/images/{image}/picture")
    with Image.open(io.BytesIO(answer.content)) as shown:
        picture = np.asarray(shown.convert("L"), dtype=np.float64)
    assert picture.shape == stored.shape
    assert np.corrcoef(picture.ravel(), stored.ravel())[0, 1] > 0.9
    assert np.corrcoef(picture.ravel(), stored[:, ::-1].ravel())[0, 1] < 0.5


def test_a_person_decides_whose_study_it_is(api: Api, reader: Person, tmp_path: Path) -> None:
    study, _ = upload(reader, tmp_path / "exam")
    path = f"/studies/{study}/patient"
    patient = reader.get(f"/studies/{study}").json()["patient"]["patient_id"]
    assert reader.send("POST", path, {"patient_id": patient}).status_code == 409
    with api.sessions.begin() as session:
        session.scalars(select(StudyRow)).one().state = StudyState.CONFLICT
    assert reader.send("POST", path, {"patient_id": "another"}).status_code == 409
    decided = reader.send("POST", path, {"patient_id": patient})
    assert (decided.status_code, decided.json()["state"]) == (200, "waiting")
    with api.sessions() as session:
        assert "patient conflict resolved" in session.scalars(select(AuditRow.action)).all()


def test_a_decision_for_the_wrong_patient_is_decided_again(api: Api, reader: Person, tmp_path: Path) -> None:
    study, images = upload(reader, tmp_path / "exam")
    patient = reader.get(f"/studies/{study}").json()["patient"]["patient_id"]
    with api.sessions.begin() as session:
        session.scalars(select(StudyRow)).one().state = StudyState.CONFLICT
        its = select(InstanceRow).where(InstanceRow.sop_instance_uid == images[0])
        session.scalars(its).one().patient_id = "OTHER"
    assert reader.send("POST", f"/studies/{study}/patient", {"patient_id": "OTHER"}).status_code == 200
    aside = [image["set_aside"] for image in reader.get(f"/studies/{study}").json()["images"]]
    assert aside == ["", *["of another patient"] * 3]
    assert reader.send("POST", f"/studies/{study}/patient", {"patient_id": patient}).status_code == 200
    aside = [image["set_aside"] for image in reader.get(f"/studies/{study}").json()["images"]]
    assert aside == ["of another patient", "", "", ""]


def test_what_is_not_there_is_said_in_a_line(reader: Person) -> None:
    assert reader.get("/nowhere").json()["detail"] == "no such path; /api/v1/openapi.json has all of them"
    assert reader.client.head(f"{API}/health").status_code == 200
