"""The whole service as its processes, killed and stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pydicom
import pytest
import typer
from demo import next_steps
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, sessionmaker
from starlette.routing import Route
from typer.testing import CliRunner, Result

from amrg.cli import Exit, app
from amrg.generation.engines import openai_client
from amrg.service.api.app import create_app
from amrg.service.database.engine import open_database, reading
from amrg.service.database.tables import JobRow, StudyRow, VersionRow
from amrg.service.processes.checking import find_problems, unreachable
from amrg.service.processes.starting import exposed, ports_in_use, sole_service
from amrg.service.settings import Settings, SettingsError, read_settings
from tests.generation.serving import Rules, known_answers, trust
from tests.generation.serving import serving as openai_server
from tests.service.databases import free_port
from tests.service.nodes import changed, dcmtk, draw_phantom, running_node, wait_until
from tests.service.orthanc import orthanc_server
from tests.service.senders.partners import Request, listener, web_server

MASS = "Right breast, upper outer quadrant: irregular spiculated mass (BI-RADS 5). Impression: right breast BI-RADS 5."
SECRET = {"PatientName": "ZZTOPSECRET^PHI", "PatientID": "987654321"}


@dataclass(frozen=True)
class Service:
    """A running `amrg serve`."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int
    sessions: sessionmaker[Session]

    def send(self, *files: Path) -> int:
        return dcmtk("storescu", "-aec", "AMRG", "127.0.0.1", str(self.port), *files)

    def is_up(self) -> bool:
        return dcmtk("echoscu", "-aec", "AMRG", "127.0.0.1", str(self.port)) == 0

    def pid(self, kind: str) -> int:
        """The last process of a kind."""
        found: list[str] = re.findall(rf"the {kind} process is (\d+)", self.log.read_text())
        return int(found[-1]) if found else 0

    def states(self) -> list[str]:
        with reading(self.sessions) as session:
            return sorted(session.scalars(select(StudyRow.state)))


@contextmanager
def serving(
    folder: Path, port: int, stops: bool = True, more: str = "", model: str = "fixed", engine: str = "local"
) -> Iterator[Service]:
    """`amrg serve`, with an engine that writes a fixed text, until the block ends; then it must stop when asked to."""
    folder.mkdir(exist_ok=True)
    config = folder / "amrg.toml"
    config.write_text(
        f'folder = "{folder / "data"}"\nmodel = "{model}"\nengine = "{engine}"\n'
        "quiet_seconds = 1\nreserve_megabytes = 0\n"
        f"[dicom]\nport = {port}\n[http]\nport = {free_port()}\n[jobs]\nlosses = 9\n{more}"
    )
    sessions = open_database(Settings(folder=folder / "data").database)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "amrg.cli", "serve", "--config", config], stdout=log, stderr=log, cwd=folder
        )
    try:
        service = Service(process, folder / "log", port, sessions)
        wait_until(service.is_up, "the node")
        yield service
        if stops:
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()
        engine = sessions.kw["bind"]
        assert isinstance(engine, Engine)
        engine.dispose()


def studies(folder: Path, count: int) -> list[list[Path]]:
    """Studies of one drawn exam under other identifiers, all of a patient whose name is a secret."""
    folder.mkdir(exist_ok=True)
    drawn, found = draw_phantom(folder / "drawn"), []
    for number in range(count):
        uids = [{"StudyInstanceUID": f"1.2.{number}", "SOPInstanceUID": f"1.2.{number}.{i}"} for i in range(4)]
        found.append(
            [
                changed(file, folder / f"{number}-{file.name}", **SECRET, **uid)
                for file, uid in zip(drawn, uids, strict=True)
            ]
        )
    return found


def test_killed_at_any_moment_every_study_is_drafted_once_and_no_process_or_name_is_left(tmp_path: Path) -> None:
    """The node and workers are killed while studies come in, and at last the supervisor; no log names a patient."""
    sent = studies(tmp_path / "studies", 3)
    with serving(tmp_path / "service", free_port(), stops=False) as service:
        for kind, files in zip(("worker", "node", "worker"), sent, strict=True):
            assert service.send(*files) == 0
            os.kill(service.pid(kind), signal.SIGKILL)
            wait_until(service.is_up, "the node")
        wait_until(lambda: service.states() == ["drafted"] * 3, "all studies to be drafted")
        assert service.send(*sent[0]) == 0
        pids = [service.pid(kind) for kind in ("node", "worker", "partners")]
        service.process.kill()
        service.process.wait()
        wait_until(lambda: not any(runs(pid) for pid in pids), "its processes to end")
    with reading(service.sessions) as session:
        assert session.scalar(select(func.count()).select_from(VersionRow)) == 3
        assert session.scalar(select(func.count()).select_from(JobRow)) == 3
    log = service.log.read_text()
    assert "is started again" in log
    assert not re.search("ZZTOPSECRET|987654321", log)


FAULT = """
import logging
from fastapi import FastAPI
from fastapi.testclient import TestClient
from amrg.service.api.problems import answer_with_problems
from amrg.service.processes.entry import set_up_logs

set_up_logs()
app = FastAPI()
answer_with_problems(app)

@app.get("/")
def fault():
    try:
        {}["ZZTOPSECRET^Phi"]
    except KeyError as error:
        raise ValueError("no such patient: ZZTOPSECRET^Phi") from error

try:
    TestClient(app).get("/")
except ValueError as error:  # as uvicorn logs it
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\\n", exc_info=error)
"""


def test_an_unexpected_error_is_one_line_of_the_log_and_names_no_patient() -> None:
    done = subprocess.run([sys.executable, "-c", FAULT], capture_output=True, text=True, timeout=120, check=True)
    assert "ZZTOPSECRET" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert re.search(r" ERROR uvicorn\.error: Exception in ASGI application ValueError at .*<string>:\d+$", line)


def amrg(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


OPEN = {
    "no senders": ({"dicom": {"host": "0.0.0.0"}}, "no senders are named"),
    "an AE title alone": (
        {"dicom": {"host": "0.0.0.0", "senders": [{"ae_title": "M1"}]}},
        "M1 has no address, and anyone can use its AE title",
    ),
    "HTTP in the clear": ({"http": {"host": "0.0.0.0"}}, "without http.tls_certificate"),
}


@pytest.mark.parametrize("case", OPEN)
def test_other_machines_are_not_let_in_unknown(case: str) -> None:
    values, message = OPEN[case]
    settings = Settings.model_validate(json.loads(json.dumps(values)))
    assert message in next(exposed(settings))


def test_such_a_service_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "amrg.toml"
    file.write_text('[dicom]\nhost = "0.0.0.0"\n')
    done = amrg("serve", "--config", file)
    assert done.exit_code == 2
    assert "no senders are named" in done.stderr


def test_what_is_known_may_be_reached() -> None:
    senders = [{"ae_title": "M1", "address": "10.0.0.0/8"}]
    assert list(exposed(Settings.model_validate({"dicom": {"host": "0.0.0.0", "senders": senders}}))) == []
    assert list(exposed(Settings())) == []


def test_check_says_what_is_missing(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"folder": tmp_path / "data", "reserve_megabytes": 10**9, "dicom": {"tls_certificate": "/nowhere/cert.pem"}}
    )
    problems = list(find_problems(settings))
    assert [p.split(":")[0] for p in problems] == ["dicom.tls_certificate", "folder"]
    assert list(find_problems(Settings(folder=tmp_path / "good", reserve_megabytes=0))) == []
    assert (tmp_path / "good").stat().st_mode & 0o777 == 0o750 & ~umask()
    with sole_service(tmp_path / "served"):  # what `amrg serve` does first
        assert (tmp_path / "served").stat().st_mode & 0o777 == 0o750 & ~umask()


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "one port": ({"dicom": {"port": 8042}}, "dicom.port and http.port are both 8042"),
    "no facility": (
        {"openid": {"issuer": "https://idp", "client_id": "a", "client_secret": "b"}},
        "facility_name: empty",
    ),
    "no folder": ({"model": "/nonexistent"}, "model /nonexistent: no such folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_check_names_settings_that_cannot_work(case: str, tmp_path: Path) -> None:
    values, message = WRONG[case]
    settings = Settings.model_validate({"folder": tmp_path / "data", "reserve_megabytes": 0, **values})
    (problem,) = (line for line in find_problems(settings) if "in use" not in line)
    assert message in problem


def test_relative_paths_are_taken_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "amrg.toml"
    file.write_text('folder = "data"\n[http]\ntls_key = "key.pem"\ntls_certificate = "/etc/cert.pem"\n')
    settings = read_settings(file)
    assert settings.folder == tmp_path / "data"
    assert (settings.http.tls_key, settings.http.tls_certificate) == (tmp_path / "key.pem", Path("/etc/cert.pem"))


def test_settings_of_another_release_are_named_not_ignored(tmp_path: Path) -> None:
    file = tmp_path / "amrg.toml"
    file.write_text("[dicom]\nallow_all = true\n")
    with pytest.raises(SettingsError, match=r"amrg.toml: unknown setting dicom.allow_all; known are ae_title, host,"):
        read_settings(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("qiet_seconds = 3", "unknown setting qiet_seconds; did you mean quiet_seconds?"),
        ("[dicom]\nprot = 1", "unknown setting dicom.prot; did you mean port?"),
        ('[[destinations]]\nkind = "mllp"\nhots = "x"', "unknown setting destinations[1].hots; did you mean host?"),
        ('[openid]\nissuers = "x"', "unknown setting openid.issuers; did you mean issuer?"),
        ('[dicom]\nsenders = [{ ae_title = "A", adress = "x" }]', "dicom.senders[1].adress; did you mean address?"),
    ],
)
def test_a_misspelled_setting_is_named_with_the_nearest_one(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "amrg.toml").write_text(text)
    with pytest.raises(SettingsError, match=re.escape(message)):
        read_settings(tmp_path / "amrg.toml")


PACS = 'kind = "c-store"\nname = "pacs"\nhost = "pacs"\nport = 104\nae_title = "PACS"'
STATION = PACS.replace("c-store", "dicom")
RIS = 'kind = "mllp"\nname = "ris"\nhost = "ris"\nport = 2575'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[dicom]\nhost = "0.0.0.0"\ntls_ca = "ca.pem"\nsenders = [{ ae_title = "M1" }]', "tls_ca without tls_certif"),
        ('[dicom]\ntls_key = "key.pem"', "tls_key without tls_certificate"),
        ('[http]\ntls_key = "key.pem"', "tls_key without tls_certificate"),
        (f'[[destinations]]\n{PACS}\ntls_certificate = "a.pem"', "tls_certificate without tls_ca"),
        (f'[[destinations]]\n{RIS}\ntls_key = "key.pem"', "tls_key without tls_ca"),
        (
            f'[[sources]]\n{STATION}\ntls_certificate = "a.pem"',
            "tls_certificate without tls_ca",
        ),
    ],
)
def test_settings_of_tls_that_would_encrypt_nothing_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "amrg.toml").write_text(text)
    with pytest.raises(SettingsError, match=f"{message}.*nothing would be encrypted"):
        read_settings(tmp_path / "amrg.toml")


def test_check_names_partners_that_do_not_answer(tmp_path: Path) -> None:
    def respond(request: Request) -> tuple[int, bytes]:
        return (401 if "token" not in request.headers.get("authorization", "") else 200), b"{}"

    nobody = free_port()
    with web_server(respond) as web, running_node(tmp_path) as node, listener(lambda _: None) as ris:
        station = {"host": "127.0.0.1", "ae_title": "AMRG"}
        settings = Settings.model_validate(
            {
                "destinations": [
                    {"name": "pacs", "kind": "c-store", "port": node.node.port, **station},
                    {"name": "other", "kind": "c-store", "port": node.node.port, **station, "ae_title": "WRONG"},
                    {"name": "ris", "kind": "mllp", "host": "127.0.0.1", "port": ris.port},
                    {"name": "no-ris", "kind": "mllp", "host": "127.0.0.1", "port": nobody},
                    {"name": "ehr", "kind": "fhir", "url": web.url, "token": "token"},
                    {"name": "no-ehr", "kind": "fhir", "url": web.url},
                ],
                "sources": [
                    {"name": "vna", "kind": "dicomweb", "url": web.url, "token": "token"},
                    {"name": "no-vna", "kind": "dicomweb", "url": f"http://127.0.0.1:{nobody}"},
                    {"name": "no-pacs", "kind": "dicom", "port": nobody, **station},
                ],
            }
        )
        problems = list(unreachable(settings))
    assert [problem.split(":")[0] for problem in problems] == [
        "destination other",
        "destination no-ris",
        "destination no-ehr",
        "source no-vna",
        "source no-pacs",
    ]
    assert "rejects AMRG" in problems[0]
    assert "HTTP 401; the token is missing" in problems[2]
    (tmp_path / "amrg.toml").write_text(
        f'folder = "{tmp_path / "data"}"\nreserve_megabytes = 0\n[dicom]\nport = 0\n[http]\nport = 0\n'
        f'[[destinations]]\nname = "no-ris"\nkind = "mllp"\nhost = "127.0.0.1"\nport = {nobody}\n'
    )
    done = amrg("serve", "--check", "--config", tmp_path / "amrg.toml")
    assert done.exit_code == Exit.INCOMPLETE  # a partner that is away is no reason not to start
    assert done.stderr.startswith("amrg: destination no-ris: 127.0.0.1 port ")


def test_the_demonstration_names_commands_and_a_page_that_there_are(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path)
    printed = next_steps(tmp_path / "amrg.toml", settings, "password", "1.2.3", tmp_path)
    (page,) = re.findall(r"http://127.0.0.1:8042(\S+)", printed)
    assert page in {route.path for route in create_app(settings).routes if isinstance(route, Route)}
    commands = {command.name for command in typer.main.get_command(app).commands.values()}  # type: ignore[attr-defined]
    named = set(re.findall(r"/amrg (\w+)", printed))
    assert named == {"studies", "sign", "deliver", "audit"}
    assert named <= commands


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an export as far as a server's client reads it, and a state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "export"
    folder.mkdir()
    known_answers().save(folder)
    return folder


@pytest.mark.parametrize(
    ("engine", "model", "message"),
    [
        ("cloud", "export", "engine is 'cloud'; expected local, vllm or openai:URL"),
        ("vllm", "fixed", "model fixed: no known-answers.json"),
        ("openai:http://localhost:1/v1", None, "engine openai needs a model"),
        ("local", "nowhere", "model nowhere: no such folder"),
    ],
)
def test_check_names_an_engine_or_model_that_is_not_there(
    tmp_path: Path, engine: str, model: str | None, message: str
) -> None:
    settings = Settings(folder=tmp_path, reserve_megabytes=0, engine=engine, model=model)
    (problem,) = find_problems(settings)
    assert problem.startswith(message)
    assert list(unreachable(settings)) == []


def test_check_asks_the_engine_s_server(tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_client, "TRIES", 1)
    given = Rules(known_answers())
    with openai_server(given) as url:
        settings = Settings(folder=tmp_path, reserve_megabytes=0, model=str(export), engine=f"openai:{url}")
        assert list(find_problems(settings)) == []
        (refused,) = unreachable(settings)
        assert "was never measured; run `amrg model check FOLDER --engine openai:http://127.0.0.1" in refused
        trust(url, given.known)
        assert list(unreachable(settings)) == []
    assert given.studies == []
    (away,) = unreachable(settings)
    assert away.startswith("engine: http://127.0.0.1:")
    assert "no answer after 1 tries" in away


def test_studies_wait_while_the_engine_s_server_is_away(tmp_path: Path, export: Path) -> None:
    """The service starts without it, receives, and drafts once it is there."""
    (files,) = studies(tmp_path / "studies", 1)
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    given = Rules(known_answers(), text=MASS)
    trust(url, given.known)
    with serving(tmp_path / "service", free_port(), model=str(export), engine=f"openai:{url}") as service:
        assert service.send(*files) == 0
        wait_until(lambda: "no answer after 5 tries" in service.log.read_text(), "the worker to miss the server")
        with openai_server(given, port):
            wait_until(lambda: service.states() == ["drafted"], "the study to be drafted")
    assert len(given.studies) == 1
    with reading(service.sessions) as session:
        (version,) = session.scalars(select(VersionRow))
    assert version.document["draft"]["model_text"] == MASS
    assert version.document["report"]["provenance"]["model"] == given.known.name


def test_a_service_pulls_from_orthanc_and_a_second_one_is_refused_before_anything_starts(tmp_path: Path) -> None:
    port = free_port()
    station = {"AET": "AMRG", "Host": "127.0.0.1", "Port": port}
    with orthanc_server(DicomModalities={"amrg": station}) as orthanc:
        for file in draw_phantom(tmp_path / "drawn"):
            httpx.post(f"{orthanc.url}/instances", content=file.read_bytes(), trust_env=False).raise_for_status()
            study = pydicom.dcmread(file, stop_before_pixels=True).StudyInstanceUID
        more = (
            f'[[sources]]\nname = "pacs"\nkind = "dicom"\nhost = "127.0.0.1"\nport = {orthanc.dicom_port}\n'
            f'ae_title = "{orthanc.ae_title}"\n'
        )
        with serving(tmp_path / "service", port, more=more) as service:
            config = tmp_path / "service" / "amrg.toml"
            asked = amrg("pull", study, "--from", "pacs", "--config", config)
            assert asked.exit_code == 0, asked.stderr
            second = amrg("serve", "--config", config)
            assert (second.exit_code, second.stdout) == (2, "")
            assert "another `amrg serve` uses it; stop that one" in second.stderr
            assert "process is" not in second.stderr
            settings = read_settings(config)
            assert [*find_problems(settings), *unreachable(settings)] == []
            assert [line.split(":")[0] for line in ports_in_use(settings)] == ["dicom.port", "http.port"]
            wait_until(lambda: service.states() == ["drafted"], "the pulled study to be drafted")
