"""What must hold before any process starts: nothing is open to strangers, the folder and the ports are free."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

from amrg.core.locks import try_lock
from amrg.service.settings import Settings, make_folder

LOCK_FILE = "serve.lock"
"""Its name in the folder of the settings; the supervisor holds it."""


def exposed(settings: Settings) -> Iterator[str]:
    """Why settings may not be served: what other machines could reach without being known."""
    dicom, http = settings.dicom, settings.http
    if not is_loopback(dicom.host):
        if not dicom.senders:
            yield f"dicom.host is {dicom.host}, and no senders are named; name every station that may send"
        elif dicom.tls_ca is None and (open_ones := [s.ae_title for s in dicom.senders if not s.address]):
            yield (
                f"dicom.senders: {open_ones[0]} has no address, and anyone can use its AE title; "
                "give it one, or set dicom.tls_ca so that senders show a certificate"
            )
    if not is_loopback(http.host) and http.tls_certificate is None:
        yield (
            f"http.host is {http.host} without http.tls_certificate; set one, or listen on 127.0.0.1 behind a proxy "
            "that has one"
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextlib.contextmanager
def sole_service(folder: Path) -> Iterator[bool]:
    """Hold the folder for one service until the block ends; whether no other one has it."""
    make_folder(folder)
    with try_lock(folder / LOCK_FILE) as held:
        yield held


def ports_in_use(settings: Settings) -> Iterator[str]:
    """Ports of the settings that cannot be listened on, a line each."""
    for name, host, port in (
        ("dicom.port", settings.dicom.host, settings.dicom.port),
        ("http.port", settings.http.host, settings.http.port),
    ):
        try:
            socket.create_server((host, port)).close()
        except OSError as error:
            yield f"{name}: {host} port {port}: {error.strerror or error}; choose another port, or end what uses it"
