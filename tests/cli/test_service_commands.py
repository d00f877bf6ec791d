"""`amrg studies`, `sign`, `users` and `audit` on a service's database, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner, Result

from amrg.birads import Recommendation
from amrg.cli import Exit, app
from amrg.service import queue
from amrg.service.database.engine import open_database
from amrg.service.database.tables import JobKind, JobRow, JobState, StudyRow, StudyState
from amrg.service.signing import Read, withdraw
from tests.service.databases import sqlite_with_tables
from tests.service.reports import REPORT, STUDY, a_draft, add_study

pytestmark = pytest.mark.usefixtures("cheap_passwords")

PASSWORD = "correct horse battery"
SETTINGS = """
folder = "data"
[[destinations]]
kind = "mllp"
name = "ris"
host = "127.0.0.1"
port = 2575
"""


@pytest.fixture
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sessionmaker[Session]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "amrg.toml").write_text(SETTINGS)
    return open_database(sqlite_with_tables(Path("data/amrg.sqlite3")))


def run(*arguments: object, given: str = "") -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], input=given)


def add_reader() -> None:
    done = run("users", "add", "anna", "--person-name", "Doe^Anna", "--organization", "GH", given=PASSWORD)
    assert (done.exit_code, done.stdout) == (Exit.OK, "anna (reader) added\n"), done.output


def test_from_a_study_to_a_signed_report_and_a_verified_trail(sessions: sessionmaker[Session]) -> None:
    add_study(sessions, accession_number="A1")
    add_reader()
    assert json.loads(run("studies", "--json").stdout)[0]["state"] == "drafted"
    shown = run("studies", "A1").stdout
    assert "Roe^Mary" in shown
    assert "UNVERIFIED DRAFT" in shown
    done = run("sign", "A1", "--as", "anna", "--yes", given=PASSWORD)
    assert done.exit_code == Exit.OK, done.output
    assert "irregular spiculated mass" in done.stdout
    assert "signed: version 2, final" in done.stdout
    assert json.loads(run("studies", "A1", "--json").stdout)["deliveries"][0]["destination"] == "ris"
    done = run("studies", STUDY)
    assert done.exit_code == Exit.OK, done.output
    signed = done.stdout
    assert "Final, Doe^Anna, GH" in signed
    assert "version 2 to ris as hl7: waiting (delivery 1)" in signed
    again = run("sign", "A1", "--as", "anna", "--yes", given=PASSWORD)
    assert (again.exit_code, again.stdout) == (Exit.NOT_SIGNED, "")
    assert again.stderr.endswith("version 2 is final; expected one that is draft or preliminary\n")
    rows = json.loads(run("audit", "show", "--json").stdout)
    assert [row["action"] for row in rows][-1] == "login"
    assert "report signed" in [row["action"] for row in rows]
    head = run("audit", "show", "--head").stdout.strip()
    verified = run("audit", "verify", "--head", head)
    assert (verified.exit_code, verified.stdout) == (Exit.OK, f"no row altered, removed or moved; head {head}\n")


def test_an_altered_row_and_an_altered_report_are_named(sessions: sessionmaker[Session]) -> None:
    add_study(sessions)
    add_reader()
    assert run("sign", STUDY, "--as", "anna", "--yes", given=PASSWORD).exit_code == Exit.OK
    with sessions.begin() as session:
        for trigger in ("audit_no_update", "versions_no_update"):
            session.execute(text(f"DROP TRIGGER {trigger}"))
        session.execute(text("UPDATE audit SET actor = 'eve' WHERE number = 1"))
        session.execute(text("UPDATE versions SET document = json_set(document, '$.text', 'x') WHERE number = 2"))
    done = run("audit", "verify")
    assert done.exit_code == Exit.ALTERED
    assert "row 1: altered" in done.stderr
    assert f"study {STUDY}, version 2: altered" in done.stderr


def test_what_must_be_acknowledged_is_not_by_yes_alone(sessions: sessionmaker[Session]) -> None:
    add_study(sessions, draft=a_draft(REPORT.model_copy(update={"recommendation": Recommendation.ROUTINE})))
    add_reader()
    refused = run("sign", STUDY, "--as", "anna", "--yes", given=PASSWORD)
    assert refused.exit_code == Exit.NOT_SIGNED
    key = refused.stderr.split("to be acknowledged: ")[1].split("[")[1].split("]")[0]
    done = run("sign", STUDY, "--as", "anna", "--yes", "--acknowledge", key, given=PASSWORD)
    assert done.exit_code == Exit.OK, done.output


@pytest.mark.parametrize("answers", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_signed(sessions: sessionmaker[Session], answers: str) -> None:
    add_study(sessions)
    add_reader()
    asked = run("sign", STUDY, "--as", "anna", given=f"{PASSWORD}\n{answers}")
    assert (asked.exit_code, "amrg: not signed" in asked.stderr) == (Exit.NOT_SIGNED, True)
    rows = json.loads(run("audit", "show", "--json").stdout)
    assert ("anna", "report read", STUDY) in [(row["actor"], row["action"], row["subject"]) for row in rows]
    assert json.loads(run("studies", "--json").stdout)[0]["status"] == "draft"
    assert run("sign", STUDY, "--as", "anna", given=f"{PASSWORD}\ny\n").exit_code == Exit.OK


def test_who_may_not_sign_is_shown_no_patient(sessions: sessionmaker[Session]) -> None:
    add_study(sessions)
    assert run("users", "add", "boss", "--role", "administrator", given=PASSWORD).exit_code == Exit.OK
    refused = run("sign", STUDY, "--as", "boss", "--yes", given=PASSWORD)
    assert (refused.exit_code, refused.stdout) == (Exit.NOT_SIGNED, "")


def test_a_withdrawn_report_says_so_first_and_asks_for_nothing(sessions: sessionmaker[Session]) -> None:
    add_study(sessions)
    add_reader()
    assert run("sign", STUDY, "--as", "anna", "--yes", given=PASSWORD).exit_code == Exit.OK
    with sessions.begin() as session:
        withdraw(session, Read(STUDY, 2, "anna"), "another patient", lambda *_: None)
        session.scalars(select(StudyRow)).one().image_revision += 1
    shown = run("studies", STUDY).stdout
    assert "WITHDRAWN: what follows is no longer valid." in shown
    assert "to be acknowledged" not in shown


def test_a_key_that_nothing_has_is_named(sessions: sessionmaker[Session]) -> None:
    add_study(sessions)
    add_reader()
    refused = run("sign", STUDY, "--as", "anna", "--yes", "--acknowledge", "text.12345678", given=PASSWORD)
    assert (refused.exit_code, "text.12345678" in refused.stderr) == (Exit.NOT_SIGNED, True)


def test_a_header_cannot_drive_the_terminal(sessions: sessionmaker[Session]) -> None:
    add_study(sessions, patient_name="Roe\x1b[31m^Mary", accession_number="[/a]A\x9b1")
    assert "Patient Roe\\x1b[31m^Mary" in run("studies", STUDY).stdout
    assert "[/a]A\\x9b1" in run("studies").stdout


def test_accounts_are_listed_disabled_and_given_tokens(sessions: sessionmaker[Session]) -> None:
    add_reader()
    assert run("users", "add", "pacs", "--role", "service").exit_code == Exit.OK
    assert run("users", "token", "pacs", "--days", 9).stdout.startswith("amrg_")
    assert run("users", "change", "anna", "--organization", "Other").stdout.endswith(", Other\n")
    assert run("users", "disable", "anna").stdout == "anna: disabled\n"
    listed = json.loads(run("users", "list", "--json").stdout)
    assert [(row["name"], row["active"]) for row in listed] == [("anna", False), ("pacs", True)]
    assert run("sign", STUDY, "--as", "anna", "--yes", given=PASSWORD).exit_code == Exit.NOT_SIGNED
    assert run("users", "enable", "anna").exit_code == Exit.OK
    assert run("users", "password", "anna", given="another long password").exit_code == Exit.OK


def test_where_no_service_is_nothing_is_made_and_nothing_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (("audit", "verify"), ("studies",), ("jobs", "list")):
        done = run(*command)
        assert (done.exit_code, "no database of the service" in done.stderr) == (Exit.UNREADABLE, True), done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "given", "code", "message"),
    [
        (("sign", "1.2", "--as", "anna"), PASSWORD, Exit.UNREADABLE, "study '1.2': not here"),
        (("sign", STUDY, "--as", "anna"), "wrong password", Exit.NOT_SIGNED, "login refused"),
        (("sign", STUDY, "--as", "otto"), PASSWORD, Exit.NOT_SIGNED, "login refused"),
        (("sign", STUDY, "--as", "anna"), "", Exit.USAGE, "expected on the first line of standard input"),
        (("studies", "--state", "lost"), "", Exit.USAGE, "expected one of receiving"),
        (("studies", "1.2"), "", Exit.UNREADABLE, "not here"),
        (("users", "add", "anna"), "", Exit.USAGE, "a reader needs a person's name"),
        (("users", "add", "b", "--role", "boss"), "", Exit.USAGE, "role"),
        (("users", "disable", "otto"), "", Exit.USAGE, "does not exist"),
        (("users", "token", "anna"), "", Exit.USAGE, "only active service accounts"),
        (("users", "change", "anna"), "", Exit.USAGE, "nothing to change"),
        (("users", "change", "anna", "--person-name", "^"), "", Exit.USAGE, "person_name: a name has letters"),
        (("audit", "export", "a", "--after", "99"), "", Exit.USAGE, "--after is 99, and the trail ends at 1"),
        (("audit", "verify", "--head", "12"), "", Exit.USAGE, "expected NUMBER:SHA256"),
        (("studies", "--config", "none.toml"), "", Exit.USAGE, "none.toml: not readable"),
    ],
)
def test_mistakes_are_one_line(
    sessions: sessionmaker[Session], arguments: tuple[str, ...], given: str, code: Exit, message: str
) -> None:
    add_study(sessions)
    add_reader()
    done = run(*arguments, given=given)
    assert (done.exit_code, message in " ".join(done.stderr.split())) == (code, True), done.output
    assert "Traceback" not in done.output


def test_the_trail_is_exported_and_the_rest_later(sessions: sessionmaker[Session], tmp_path: Path) -> None:
    add_reader()
    first = run("audit", "export", "first.ndjson")
    assert (first.exit_code, first.stdout) == (Exit.OK, "first.ndjson: 1 events\n"), first.output
    run("users", "disable", "anna")
    assert run("audit", "export", "rest.ndjson", "--after", 1).exit_code == Exit.OK
    lines = [(tmp_path / name).read_text().splitlines() for name in ("first.ndjson", "rest.ndjson")]
    events = [json.loads(line) for file in lines for line in file]
    assert [event["subtype"][0]["display"] for event in events] == ["user added", "user disabled"]
    assert run("audit", "export", "all.xml", "--format", "dicom").exit_code == Exit.OK
    messages = [fromstring(line) for line in (tmp_path / "all.xml").read_text().splitlines()]
    assert [message[0][1].get("originalText") for message in messages] == ["user added", "user disabled"]


def test_a_pull_is_one_job_and_names_no_patient(sessions: sessionmaker[Session], tmp_path: Path) -> None:
    source = '[[sources]]\nkind = "dicomweb"\nname = "vna"\nurl = "https://vna.example/dicom-web"\n'
    (tmp_path / "amrg.toml").write_text(SETTINGS + source)
    for _ in range(2):
        done = run("pull", "--patient-id", "SECRET7", "--from", "vna")
        assert (done.exit_code, done.stdout) == (Exit.OK, "job 1: waiting\n"), done.output
    trail = run("audit", "show", "--json").stdout
    assert [row["action"] for row in json.loads(trail)] == ["pull requested"] * 2
    assert "SECRET7" not in trail
    for wrong in (["1.2.3", "--accession", "A1"], [], ["1.x"], ["--accession", "A*"]):
        assert run("pull", *wrong, "--from", "vna").exit_code == Exit.USAGE
    done = run("pull", "1.2.3", "--from", "pacs")
    assert (done.exit_code, done.stderr) == (Exit.USAGE, "amrg: source 'pacs': not in the settings; known: vna\n")


def test_only_an_administrator_exports_for_research(sessions: sessionmaker[Session]) -> None:
    add_study(sessions)
    add_reader()
    assert run("users", "add", "boss", "--role", "administrator", given=PASSWORD).exit_code == Exit.OK
    refused = run("deidentify", STUDY, "--as", "anna", "--out", "research", given=PASSWORD)
    assert (refused.exit_code, Path("research").exists()) == (Exit.NOT_SIGNED, False)
    assert run("deidentify", "--as", "boss", "--out", "research").exit_code == Exit.USAGE
    left = run("deidentify", "--state", "drafted", "--as", "boss", "--out", "research", given=PASSWORD)
    assert (left.exit_code, left.stdout) == (Exit.INCOMPLETE, "research: 0 studies, 1 skipped\n")
    assert "4 of 4 images of its report are not stored" in left.stderr


def test_what_was_given_up_is_listed_run_again_and_skipped(sessions: sessionmaker[Session]) -> None:
    add_study(sessions)
    add_reader()
    assert run("sign", STUDY, "--as", "anna", "--yes", given=PASSWORD).exit_code == Exit.OK
    with sessions.begin() as session:
        delivery = session.scalars(select(JobRow)).one()
        delivery.state, delivery.error = JobState.DEAD, "AR: rejected"
        study = session.scalars(select(StudyRow)).one()
        draft = queue.add(session, JobKind.DRAFT, "draft:1:4", {"study_id": study.id, "image_revision": 4})
        draft.state, study.state = JobState.DEAD, StudyState.FAILED
    listed = json.loads(run("jobs", "list", "--state", "dead", "--json").stdout)
    assert [(j["kind"], j["study_instance_uid"], j["partner"]) for j in listed] == [
        ("draft", STUDY, ""),
        ("deliver", STUDY, "ris"),
    ]
    assert "dead: AR: rejected" in run("jobs", "list", "--kind", "deliver").stdout
    assert "error: AR: rejected" in run("jobs", "show", "1").stdout
    assert run("jobs", "retry", "--all", "--kind", "draft").stdout == "1 job to be run again\n"
    assert json.loads(run("studies", "--json").stdout)[0]["state"] == "waiting"
    assert run("jobs", "skip", "1").stdout == "job 1 skipped\n"
    assert json.loads(run("studies", STUDY, "--json").stdout)["deliveries"][0]["state"] == "skipped"
    for arguments in (("skip", "1"), ("retry", "2"), ("show", "9")):
        refused = run("jobs", *arguments)
        assert (refused.exit_code, f"job {arguments[1]}: " in refused.stderr) == (Exit.UNREADABLE, True)
    assert run("jobs", "retry").exit_code == run("jobs", "list", "--state", "x").exit_code == Exit.USAGE
    actions = [row["action"] for row in json.loads(run("audit", "show", "--json").stdout)]
    assert {"job run again", "delivery skipped"} <= set(actions)
