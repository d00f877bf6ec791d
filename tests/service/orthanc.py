"""Orthanc with its DICOMweb plug-in, from Debian's packages, as a partner: it stores what is sent to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.databases import free_port

_PROGRAM = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: its DICOM port and AE title, and the URL of its own API; `web` is that of DICOMweb."""

    dicom_port: int
    url: str
    ae_title: str = "ORTHANC"

    @property
    def web(self) -> str:
        return f"{self.url}/dicom-web"

    def get(self, path: str) -> Any:
        """What its own API has at a path."""
        return httpx.get(f"{self.url}{path}", trust_env=False).raise_for_status().json()

    def instances(self) -> list[str]:
        """The SOP Instance UIDs of all that it stores."""
        return sorted(found["MainDicomTags"]["SOPInstanceUID"] for found in self.get("/instances?expand"))

    def file(self, sop_instance_uid: str) -> bytes:
        """An object as it is stored."""
        (found,) = [
            one["ID"]
            for one in self.get("/instances?expand")
            if one["MainDicomTags"]["SOPInstanceUID"] == sop_instance_uid
        ]
        return httpx.get(f"{self.url}/instances/{found}/file", trust_env=False).raise_for_status().content

    def clear(self) -> None:
        """Remove all that it stores."""
        for patient in self.get("/patients"):
            httpx.delete(f"{self.url}/patients/{patient}", trust_env=False).raise_for_status()


@contextmanager
def orthanc_server(**settings: Any) -> Iterator[Orthanc]:
    """Orthanc for as long as the block runs; `settings` are its own. Skips the test where it is not installed."""
    if _PROGRAM is None or not _PLUGIN.is_file():
        pytest.skip("Orthanc with its DICOMweb plug-in (Debian: orthanc, orthanc-dicomweb) is not installed")
    folder = Path(tempfile.mkdtemp(prefix="amrg-orthanc-"))
    running = Orthanc(free_port(), f"http://127.0.0.1:{free_port()}")
    configuration = {
        "Name": "partner",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [str(_PLUGIN)],
        "HttpPort": int(running.url.rpartition(":")[2]),
        "DicomPort": running.dicom_port,
        "DicomAet": running.ae_title,
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpThreadsCount": 4,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **settings,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([_PROGRAM, str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder)
    try:
        _wait(running, process, folder / "log")
        yield running
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(running: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it answers.

    Raises:
        AssertionError: it ended, or did not answer for two minutes.
    """
    for _ in range(1200):
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            running.get("/system")
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("Orthanc does not answer")
