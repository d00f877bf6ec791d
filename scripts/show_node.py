"""`make show-node`: a study from a modality to a signed report in a PACS, as a transcript in docs/node.md.

Needs Orthanc and dcmtk (Debian: orthanc, dcmtk). Every line below a command was printed by it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pydicom
from demo import serving, wait_for_node

from amrg.service.settings import read_settings

PAGE = Path("docs/node.md")
SEED = 1_000_004
ORTHANC_DICOM, ORTHANC_HTTP = 4242, 8043
PASSWORD = "a long walk with four views"
SETTINGS = f"""folder = "data"
quiet_seconds = 3

[[destinations]]
name = "pacs"
kind = "c-store"
host = "127.0.0.1"
port = {ORTHANC_DICOM}
ae_title = "ORTHANC"
formats = ["sr", "measurements", "cad", "pdf"]
"""
_KEY = re.compile(r"^to be acknowledged before signing: .* \[([a-z-]+\.[0-9a-f]+)\]$", re.MULTILINE)
OPENING = """# From a modality to a signed report in the PACS

`make show-node` wrote this page: a drawn exam is sent to `amrg serve` by dcmtk's `storescu`, drafted by the embedded
model, signed at the command line, and delivered to Orthanc. Below each command is what it printed.

"""


@contextmanager
def orthanc(folder: Path) -> Iterator[str]:
    """Orthanc as the PACS; the URL of its API."""
    program = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or shutil.which("storescu") is None:
        sys.exit("Orthanc or storescu is not installed: apt-get install orthanc dcmtk")
    config = folder / "orthanc.json"
    known = {"StorageDirectory": str(folder / "orthanc"), "IndexDirectory": str(folder / "orthanc")}
    ports = {"DicomPort": ORTHANC_DICOM, "HttpPort": ORTHANC_HTTP, "DicomAlwaysAllowStore": True}
    config.write_text(json.dumps({**known, **ports, "AuthenticationEnabled": False, "Plugins": []}), encoding="utf-8")
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(config)], stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{ORTHANC_HTTP}"
        finally:
            process.terminate()
            process.wait()


class Transcript:
    """The page as it grows."""

    def __init__(self, folder: Path) -> None:
        self.text = OPENING
        self._folder = folder

    def say(self, line: str) -> None:
        """A line of prose."""
        self.text += f"{line}\n\n"

    def run(self, *command: str, shown: str | None = None, typed: str = "") -> str:
        """Run a command in the folder, and state it with its output."""
        found = subprocess.run(
            command, cwd=self._folder, input=typed, capture_output=True, text=True, check=False, env=_environment()
        )
        printed = (found.stdout + found.stderr).rstrip()
        if found.returncode:
            sys.exit(f"{' '.join(command)} ended with {found.returncode}:\n{printed}")
        self.text += f"```\n$ {shown or shlex.join(command)}\n{printed}\n```\n\n".replace(str(self._folder), ".")
        return printed


def _environment() -> dict[str, str]:
    """Where `amrg` is found first, and lines are not cut to a terminal's width."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "110",
        "NO_COLOR": "1",
    }


def wait_for(what: str, transcript: Transcript, command: tuple[str, ...], expected: str) -> None:
    """Run a command until it prints what is expected, then state it."""
    for _ in range(240):
        found = subprocess.run(
            command, cwd=transcript._folder, capture_output=True, text=True, check=False, env=_environment()
        )
        if re.search(expected, found.stdout):
            transcript.run(*command)
            return
        time.sleep(0.5)
    sys.exit(f"waited for {what}; last: {found.stdout}{found.stderr}")


def wait_for_objects(url: str, count: int) -> list[str]:
    """The SOP classes and descriptions of what the PACS stores, once there are so many."""
    found: list[dict[str, object]] = []
    for _ in range(240):
        try:
            found = httpx.get(f"{url}/series?expand", trust_env=False).json()
        except httpx.TransportError:
            found = []
        if len(found) >= count:
            break
        time.sleep(0.5)
    lines = []
    for series in found:
        tags = series["MainDicomTags"]
        assert isinstance(tags, dict)
        lines.append(f"{tags.get('Modality', ''):4} {tags.get('SeriesDescription', '')}")
    return sorted(lines)


def main() -> None:
    """Walk, and write the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "amrg.toml").write_text(SETTINGS, encoding="utf-8")
        transcript = Transcript(folder)
        transcript.say("The settings, `amrg.toml`:")
        transcript.text += f"```toml\n{SETTINGS}```\n\n"
        transcript.run("amrg", "phantom", "--count", "1", "--seed", str(SEED), "--size", "small", "drawn")
        (study,) = [f for f in (folder / "drawn").iterdir() if f.is_dir()]
        files = f"drawn/{study.name}/*.dcm"
        transcript.run(
            "amrg", "users", "add", "jdoe", "--person-name", "Doe^Jane", "--organization", "General Hospital",
            typed=f"{PASSWORD}\n{PASSWORD}\n",
        )  # fmt: skip
        config = folder / "amrg.toml"
        here = Path.cwd()
        os.chdir(folder)
        with orthanc(folder) as url, serving(config) as process:
            wait_for_node(read_settings(config), process, folder / "serve.log")
            os.chdir(here)
            transcript.say("`amrg serve` runs in another terminal.")
            send = f"storescu -v -aec AMRG 127.0.0.1 11112 {files} 2>&1 | grep -c Success"
            transcript.run("bash", "-c", send, shown=send)
            wait_for("the draft", transcript, ("amrg", "studies"), "drafted")
            uid = str(pydicom.dcmread(next(study.glob("*.dcm")), stop_before_pixels=True).StudyInstanceUID)
            shown = transcript.run("amrg", "studies", uid)
            keys = _KEY.findall(shown)
            if keys:
                transcript.say("What must be acknowledged before signing has a key:")
            acknowledged = [part for key in keys for part in ("--acknowledge", key)]
            transcript.run("amrg", "sign", uid, "--as", "jdoe", "--yes", *acknowledged, typed=f"{PASSWORD}\n")
            objects = wait_for_objects(url, 4)
            transcript.say("The PACS then has, in the same study:")
            transcript.text += "```\n" + "\n".join(objects) + "\n```\n\n"
            found = httpx.get(f"{url}/instances?expand", trust_env=False).json()
            report = next(i for i in found if i["MainDicomTags"].get("SOPInstanceUID") and _is_text(url, i["ID"]))
            (folder / "report.dcm").write_bytes(
                httpx.get(f"{url}/instances/{report['ID']}/file", trust_env=False).content
            )
            transcript.say("The text SR, as dcmtk reads it:")
            transcript.run("dsrdump", "report.dcm")
            transcript.run("amrg", "studies", uid)
            transcript.run("amrg", "audit", "verify")
        PAGE.write_text(transcript.text.rstrip() + "\n", encoding="utf-8")
    print(f"{PAGE} written")


def _is_text(url: str, instance: str) -> bool:
    """Whether an instance is a Basic Text SR."""
    tags = httpx.get(f"{url}/instances/{instance}/simplified-tags", trust_env=False).json()
    return str(tags.get("SOPClassUID")) == "1.2.840.10008.5.1.4.1.1.88.11"


if __name__ == "__main__":
    main()
