"""Whether the service can run with its settings: what is open to strangers, missing, in use, or does not answer."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from sqlalchemy import select

from amrg.core.errors import AmrgError
from amrg.service.database.engine import open_database, reading
from amrg.service.database.tables import UserRow
from amrg.service.node.server import quiet_pynetdicom
from amrg.service.processes.starting import exposed, is_loopback, ports_in_use, sole_service
from amrg.service.senders.http import Requests, unanswered
from amrg.service.senders.tls import client_context
from amrg.service.settings import (
    AnyDestination,
    AnySource,
    DicomSource,
    FhirDestination,
    MllpDestination,
    Settings,
    StoreDestination,
    StowDestination,
    make_folder,
)
from amrg.service.worker.engine import missing_engine, refused_server

_MOST_SECONDS = 10.0
_REFUSED = (401, 403)


def find_problems(settings: Settings) -> Iterator[str]:
    """What is missing here before the service can start, a line each: settings, folder, ports, database, users."""
    yield from exposed(settings)
    for name, file in (
        ("dicom.tls_certificate", settings.dicom.tls_certificate),
        ("dicom.tls_key", settings.dicom.tls_key),
        ("dicom.tls_ca", settings.dicom.tls_ca),
        ("http.tls_certificate", settings.http.tls_certificate),
        ("http.tls_key", settings.http.tls_key),
    ):
        if file is not None and not os.access(file, os.R_OK):
            yield f"{name}: {file} cannot be read"
    if missing := missing_engine(settings):
        yield missing
    if settings.openid is not None and not settings.facility_name.strip():
        yield "facility_name: empty, and readers who log in by OpenID sign for it; name the site"
    if settings.dicom.port == settings.http.port != 0:
        yield f"dicom.port and http.port are both {settings.http.port}; give each a port of its own"
    try:
        make_folder(settings.folder)
        settings.images.mkdir(exist_ok=True)
        free = shutil.disk_usage(settings.images).free
    except OSError as error:
        yield f"folder: {settings.folder}: {error.strerror}"
        return
    if not os.access(settings.images, os.W_OK):
        yield f"folder: {settings.images} cannot be written"
    if free < settings.reserve_megabytes * 2**20:
        yield f"folder: {free // 2**20} MB are free, and reserve_megabytes is {settings.reserve_megabytes}"
    with sole_service(settings.folder) as alone:
        if alone:  # otherwise the ports are those of the service that runs
            yield from ports_in_use(settings)
    try:
        with reading(open_database(settings.database)) as session:
            users = session.scalars(select(UserRow.id).where(UserRow.active).limit(1)).first()
    except AmrgError as error:
        yield str(error)
        return
    if users is None and settings.openid is None and not is_loopback(settings.http.host):
        yield f"http.host is {settings.http.host}, and there is no user; add one before other machines can reach it"


def unreachable(settings: Settings) -> Iterator[str]:
    """Partners, and the engine's server, that do not answer, or not as what they are, a line each.

    Destinations and sources are asked concurrently.
    """
    quiet_pynetdicom()
    if not missing_engine(settings) and (refusal := refused_server(settings)):
        yield refusal
    partners: list[tuple[str, AnyDestination | AnySource]] = [
        *((f"destination {one.name}", one) for one in settings.destinations),
        *((f"source {one.name}", one) for one in settings.sources),
    ]
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(partners)))) as pool:
        answers = pool.map(lambda named: _complaint(named[1], settings.dicom.ae_title), partners)
        for (name, _), complaint in zip(partners, answers, strict=True):
            if complaint:
                yield f"{name}: {complaint}"


def _complaint(partner: AnyDestination | AnySource, ae_title: str) -> str:
    """What is wrong with a partner, empty where it answers."""
    seconds = min(partner.deadline_seconds, _MOST_SECONDS)
    try:
        if isinstance(partner, StoreDestination | DicomSource):
            return _echo(partner, ae_title, seconds)
        if isinstance(partner, MllpDestination):
            return _connect(partner, seconds)
        return _ask(partner, seconds)
    except AmrgError as error:
        return str(error)


def _echo(partner: StoreDestination | DicomSource, ae_title: str, seconds: float) -> str:
    """C-ECHO (PS3.4 A), after a connection that says more of why there is none."""
    if complaint := _connect(partner, seconds):
        return complaint
    station = AE(ae_title=ae_title)
    station.connection_timeout = station.acse_timeout = station.dimse_timeout = station.network_timeout = seconds
    station.add_requested_context(Verification)
    tls = _tls(partner)
    association = station.associate(
        partner.host, partner.port, ae_title=partner.ae_title, tls_args=None if tls is None else (tls, partner.host)
    )
    where = f"{partner.ae_title} at {partner.host} port {partner.port}"
    if not association.is_established:
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None:
            return f"{where} rejects {ae_title}: {answer.reason_str}; it must know this node's AE title"
        return f"{where}: no association; is it a DICOM station, and is TLS on both sides or on none?"
    status = association.send_c_echo().get("Status")
    association.release()
    return "" if status == 0 else f"{where} answers C-ECHO with {'nothing' if status is None else f'{status:04X}H'}"


def _connect(partner: StoreDestination | DicomSource | MllpDestination, seconds: float) -> str:
    """A connection without a message: a receiver of HL7 would have to answer one."""
    tls = _tls(partner)
    try:
        with socket.create_connection((partner.host, partner.port), seconds) as connection:
            if tls is not None:
                tls.wrap_socket(connection, server_hostname=partner.host).close()
    except OSError as error:  # ssl.SSLError is one
        why = f"TLS: {error.reason}" if isinstance(error, ssl.SSLError) else error.strerror or type(error).__name__
        return f"{partner.host} port {partner.port}: no connection ({why})"
    return ""


def _ask(partner: AnyDestination | AnySource, seconds: float) -> str:
    """What a server says of itself, or whether it answers a query."""
    assert not isinstance(partner, StoreDestination | DicomSource | MllpDestination)
    base = str(partner.url).rstrip("/")
    is_fhir = isinstance(partner, FhirDestination)
    url = f"{base}/metadata" if is_fhir else f"{base}/studies?limit=1"
    token = partner.token.get_secret_value() if partner.token is not None else ""
    try:
        with Requests.within(seconds, client_context(partner.tls_ca), token) as requests:
            accepted = "application/fhir+json" if is_fhir else "application/dicom+json"
            status = requests.send("GET", url, {"Accept": accepted}).status
    except httpx.HTTPError as error:
        return f"{base}: {unanswered(error).reason}"
    if status in _REFUSED:
        return f"{base}: HTTP {status}; the token is missing, wrong or may not do this"
    if status // 100 == 2 or isinstance(partner, StowDestination):  # which may store and answer no query
        return ""
    return f"{base}: HTTP {status}; expected {'a FHIR server' if is_fhir else 'a DICOMweb service'} there"


def _tls(partner: StoreDestination | DicomSource | MllpDestination) -> ssl.SSLContext | None:
    if partner.tls_ca is None:
        return None
    return client_context(partner.tls_ca, partner.tls_certificate, partner.tls_key)
