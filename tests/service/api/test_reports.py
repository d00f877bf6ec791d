"""Reports over HTTP: nothing is lost between two people, nothing is signed unread, and everything is on record."""

from __future__ import annotations

import threading

from sqlalchemy import select

from amrg.service.audit import verify
from amrg.service.database.tables import AuditRow, JobRow, JobState, StudyRow, StudyState, UserRole
from amrg.service.settings import MllpDestination, Settings
from tests.service.api.clients import Api, Person
from tests.service.reports import STUDY, add_study

REPORT = f"/studies/{STUDY}/report"


def cautions(person: Person) -> list[str]:
    return [caution["key"] for caution in person.get(REPORT).json()["cautions"]]


def test_from_a_draft_to_a_withdrawn_report(api: Api, reader: Person) -> None:
    add_study(api.sessions)
    read = reader.get(REPORT)
    assert (read.status_code, read.headers["etag"]) == (200, '"1"')
    edited = reader.send("PATCH", REPORT, {"composition": "c"}, 1)
    assert (edited.status_code, edited.headers["etag"]) == (200, '"2"')
    assert edited.json()["version"]["report"]["status"] == "preliminary"
    accepted = reader.send("POST", f"{REPORT}/findings", {"decision": "accepted", "finding": 1}, 2)
    assert accepted.status_code == 200, accepted.text
    signed = reader.send("POST", f"{REPORT}/signature", {"acknowledged": cautions(reader)}, 3)
    assert signed.status_code == 201, signed.text
    signature = signed.json()["version"]["signature"]
    assert (signature["name"], signature["organization"]) == ("Doe^Anna", "General Hospital")
    added = reader.send("POST", f"{REPORT}/addenda", {"text": "Discussed by telephone."}, 4)
    assert added.status_code == 201, added.text
    correction = {"changes": {"composition": "b"}, "reason": "composition"}
    corrected = reader.send("POST", f"{REPORT}/corrections", correction, 5)
    keys = [p["key"] for p in corrected.json().get("problems", ())]
    if keys:
        corrected = reader.send("POST", f"{REPORT}/corrections", {**correction, "acknowledged": keys}, 5)
    assert corrected.status_code == 201, corrected.text
    assert reader.send("POST", f"{REPORT}/withdrawal", {"reason": "another patient"}, 6).status_code == 201
    versions = reader.get(f"/studies/{STUDY}/versions").json()
    statuses = ["draft", "preliminary", "preliminary", "final", "appended", "amended", "withdrawn"]
    assert [v["status"] for v in versions] == statuses
    assert [v["superseded"] for v in versions] == [True] * 6 + [False]
    assert reader.get(f"/studies/{STUDY}/versions/1").json()["report"]["composition"] == "b"
    with api.sessions() as session:
        assert verify(session) == []
        actions = list(session.scalars(select(AuditRow.action).where(AuditRow.subject == STUDY)))
    assert {"report read", "report edited", "report signed", "report withdrawn"} <= set(actions)


def test_changes_name_the_version_that_was_read(api: Api, reader: Person) -> None:
    add_study(api.sessions)
    for path, method, body in (
        (REPORT, "PATCH", {}),
        (f"{REPORT}/signature", "POST", {}),
        (f"{REPORT}/withdrawal", "POST", {"reason": "x"}),
    ):
        assert reader.send(method, path, body).status_code == 428
        assert reader.send(method, path, body, 7).status_code == 412
    assert (
        reader.client.patch(
            "/api/v1" + REPORT, json={}, headers={"X-CSRF-Token": reader.csrf, "If-Match": "*"}
        ).status_code
        == 412
    )


def test_of_two_people_who_sign_one_wins(api: Api, reader: Person) -> None:
    add_study(api.sessions)
    people, keys = [reader, api.logged_in("bert")], cautions(reader)
    start, statuses = threading.Barrier(2), []

    def sign(person: Person) -> None:
        start.wait()
        statuses.append(person.send("POST", f"{REPORT}/signature", {"acknowledged": keys}, 1).status_code)

    threads = [threading.Thread(target=sign, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 412]


def test_who_is_no_reader_signs_nothing(api: Api, reader: Person) -> None:
    add_study(api.sessions)
    keys = cautions(reader)
    admin = api.logged_in("admin", UserRole.ADMINISTRATOR)
    assert admin.send("POST", f"{REPORT}/signature", {"acknowledged": keys}, 1).status_code == 403
    assert admin.send("PUT", "/users/anna/active", {"active": False}).status_code == 200
    assert reader.send("POST", f"{REPORT}/signature", {"acknowledged": keys}, 1).status_code == 401
    assert admin.get(REPORT).json()["version"]["signature"] is None


def test_new_images_and_a_patient_conflict_stop_a_signature(api: Api, reader: Person) -> None:
    add_study(api.sessions)
    keys = cautions(reader)
    with api.sessions.begin() as session:
        session.scalars(select(StudyRow)).one().image_revision += 1
    refused = reader.send("POST", f"{REPORT}/signature", {"acknowledged": keys}, 1)
    assert refused.status_code == 409
    assert any("new images" in problem["message"] for problem in refused.json()["problems"])
    with api.sessions.begin() as session:
        session.scalars(select(StudyRow)).one().state = StudyState.CONFLICT
    conflict = reader.send("POST", f"{REPORT}/signature", {"acknowledged": cautions(reader)}, 1)
    assert conflict.status_code == 409
    assert "several patients" in conflict.json()["detail"]


def test_each_study_is_on_one_page_while_others_arrive(api: Api, reader: Person) -> None:
    for number in range(7):
        add_study(api.sessions, f"1.2.{number}")
    found, before = [], None
    for arriving in range(9, 20):
        page = reader.get("/studies", params={"limit": 3, **({"before": before} if before else {})}).json()
        found += [study["study_instance_uid"] for study in page["items"]]
        before = page["next"]
        if before is None:
            break
        add_study(api.sessions, f"1.2.{arriving}")
    assert found == [f"1.2.{number}" for number in reversed(range(7))]


def test_filters(api: Api, reader: Person) -> None:
    add_study(api.sessions, "1.1", accession_number="A1", study_date="20260301")
    add_study(api.sessions, "1.2", accession_number="A2", study_date="20260401", state=StudyState.SIGNED)

    def found(**filters: str) -> list[str]:
        return [study["study_instance_uid"] for study in reader.get("/studies", params=filters).json()["items"]]

    assert found(accession="A1") == ["1.1"]
    assert found(state="signed") == ["1.2"]
    assert found(since="2026-03-02") == ["1.2"]
    assert found(until="2026-03-02") == ["1.1"]


def test_a_signature_queues_its_deliveries(settings: Settings) -> None:
    his = MllpDestination(kind="mllp", name="his", host="127.0.0.1", port=2575)
    api = Api.of(settings.model_copy(update={"destinations": (his,)}))
    add_study(api.sessions)
    reader = api.logged_in("anna")
    assert reader.get("/deliveries").json()["items"] == []
    assert reader.send("POST", f"{REPORT}/signature", {"acknowledged": cautions(reader)}, 1).status_code == 201
    (delivery,) = reader.get(f"/studies/{STUDY}/deliveries").json()
    assert (delivery["destination"], delivery["version"], delivery["state"]) == ("his", 2, "waiting")
    assert reader.get("/deliveries", params={"delivered": False}).json()["items"] == [delivery]
    admin, skip = api.logged_in("admin", UserRole.ADMINISTRATOR), f"/deliveries/{delivery['id']}/skip"
    assert reader.send("POST", skip).status_code == 403
    early = admin.send("POST", skip)
    assert (early.status_code, "was not set aside" in early.json()["detail"]) == (409, True)
    with api.sessions.begin() as session:
        session.get_one(JobRow, delivery["job_id"]).state = JobState.DEAD
    assert reader.get(f"/studies/{STUDY}/deliveries").json()[0]["state"] == "set aside"
    skipped = admin.send("POST", skip)
    assert (skipped.status_code, skipped.json()["state"]) == (200, "skipped"), skipped.text
    assert admin.send("POST", "/deliveries/99/skip").status_code == 409
    api.close()
