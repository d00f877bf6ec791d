"""FHIR servers as partners: Medplum's router and validator where npm installed it, and a small strict one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from tests.service.senders.partners import Request, web_server

FOLDER = Path(__file__).parent / "fhir_server"


@contextmanager
def medplum_server() -> Iterator[str]:
    """The URL of a server with Medplum's router; skips the test where Node or the packages are not installed."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "@medplum" / "fhir-router").is_dir():
        pytest.skip("Medplum's FHIR router is not installed: npm install in tests/service/fhir_server")
    process = subprocess.Popen([node, "server.cjs"], cwd=FOLDER, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    finally:
        process.terminate()
        process.wait(timeout=60)
        if process.stdout is not None:
            process.stdout.close()


def read_resource(url: str, path: str) -> Any:
    """A resource as a server has it."""
    return httpx.get(f"{url.rstrip('/')}/{path}", trust_env=False).raise_for_status().json()


class StrictServer:
    """Takes transactions of PUTs: all entries are valid and refer to what there is, or none is stored."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        self.changes = 0

    def respond(self, request: Request) -> tuple[int, bytes]:
        """The answer to a request, as `web_server` asks for it."""
        if request.method == "GET":
            found = self.resources.get(request.path.strip("/"))
            return (404, b"{}") if found is None else (200, json.dumps(found).encode())
        bundle = json.loads(request.body)
        put = {entry["request"]["url"]: entry["resource"] for entry in bundle["entry"]}
        wrong = self._wrong(bundle, put)
        if wrong:
            issue = {"severity": "error", "code": "invalid", "diagnostics": wrong}
            return 422, json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
        statuses = ["200" if url in self.resources else "201" for url in put]
        self.changes += sum(self.resources.get(url) != resource for url, resource in put.items())
        self.resources.update(put)
        entries = [{"response": {"status": status}} for status in statuses]
        return 200, json.dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": entries}).encode()

    def _wrong(self, bundle: dict[str, Any], put: dict[str, dict[str, Any]]) -> str:
        if bundle.get("type") != "transaction" or len(put) < len(bundle["entry"]):
            return "no transaction, or one resource twice"
        for url, resource in put.items():
            if url != f"{resource['resourceType']}/{resource['id']}":
                return f"{url} is no place for this resource"
            try:
                get_fhir_model_class(resource["resourceType"]).model_validate(resource)
            except ValidationError as error:
                return str(error)
            unknown = _references(resource) - put.keys() - self.resources.keys()
            if unknown:
                return f"{url} refers to {unknown}"
        return ""


def _references(part: Any) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(_references, part))
    if not isinstance(part, dict):
        return set()
    own = {part["reference"]} if isinstance(part.get("reference"), str) else set()
    return own.union(*map(_references, part.values()))


@contextmanager
def strict_server(port: int = 0, server: StrictServer | None = None) -> Iterator[tuple[str, StrictServer]]:
    """The URL of a strict server, and its state, which may be that of one that was down."""
    state = server or StrictServer()
    with web_server(state.respond, port) as running:
        yield running.url, state
