from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from amrg.service.node.server import may_send
from amrg.service.settings import DicomSettings, Sender, Settings
from tests.service.nodes import RunningNode, draw_study, open_sockets, peak_kilobytes, running_node, wait_until


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningNode]:
    dicom = DicomSettings(associations=8, associations_a_sender=4, idle_seconds=1)
    with running_node(tmp_path / "node", dicom) as running:
        yield running


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_study(tmp_path_factory.mktemp("study"))


def echo(node: RunningNode, calling: str = "STATION", called: str = "AMRG") -> bool:
    """Whether an association is accepted."""
    entity = AE(calling)
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", node.node.port, ae_title=called)
    established = bool(association.is_established)
    if established:
        association.release()
    return established


def silent(node: RunningNode, associations: int) -> tuple[list[Association], list[bool]]:
    """Associations of one station that say nothing, and whether each was accepted."""
    entity = AE("SILENT")
    entity.add_requested_context(Verification)
    opened, accepted = [], []
    for _ in range(associations):
        opened.append(entity.associate("127.0.0.1", node.node.port, ae_title="AMRG"))
        accepted.append(bool(opened[-1].is_established))
    return opened, accepted


def test_a_station_has_so_many_associations_and_leaves_the_others_theirs(tmp_path: Path) -> None:
    dicom = DicomSettings(associations=8, associations_a_sender=4, idle_seconds=60)
    with running_node(tmp_path / "node", dicom) as node:
        opened, accepted = silent(node, 6)
        assert accepted == [True] * 4 + [False] * 2
        assert echo(node)
        for association in opened:
            association.abort()


def test_stations_that_fall_silent_take_no_place_for_good(node: RunningNode) -> None:
    opened, accepted = silent(node, 4)
    assert accepted == [True] * 4
    wait_until(lambda: not node.node.connections, "the silent associations to end")
    assert open_sockets(node.node.port) == 0
    for association in opened:
        association.abort()
    assert echo(node, "SILENT")


def raw(node: RunningNode, data: bytes = b"") -> socket.socket:
    connected = socket.create_connection(("127.0.0.1", node.node.port))
    connected.sendall(data)
    return connected


NO_DICOM = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "4 GB": b"\x01\x00\xff\xff\xff\xff" + b"\0" * 100,
    "data before an association": b"\x04\x00\x00\x00\x00\x10" + b"\0" * 16,
    "nothing": b"",
    "garbage": bytes(range(256)) * 8,
    "half a PDU": b"\x01\x00\x00\x00\x01\x00abc",
}


def test_what_is_no_dicom_is_dropped_and_costs_no_memory(node: RunningNode, study: list[Path]) -> None:
    assert node.send(*study) == 0
    before = peak_kilobytes()
    strangers = [raw(node, data) for data in NO_DICOM.values() for _ in range(3)]
    assert (node.echo(), node.send(*study)) == (0, 0)
    wait_until(lambda: not node.node.connections, "the strangers' connections to end")
    assert open_sockets(node.node.port) == 0
    for stranger in strangers:
        stranger.close()
    assert peak_kilobytes() - before < 100_000  # KiB
    assert echo(node)


@pytest.mark.parametrize("program", ["curl", "ssh"])
def test_other_programs_on_the_port_are_dropped(node: RunningNode, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    port = str(node.node.port)
    command = (
        ["curl", "-s", "-m", "20", f"http://127.0.0.1:{port}/"]
        if program == "curl"
        else ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-p", port, "127.0.0.1"]
    )
    for _ in range(3):
        assert subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode != 0
    assert echo(node)


def test_an_association_that_is_cut_loses_nothing_that_was_acknowledged(node: RunningNode, study: list[Path]) -> None:
    """A proxy cuts in the middle of the second image."""
    first = study[0].stat().st_size
    with cutting_proxy(node.node.port, first + first // 2) as port:
        done = subprocess.run(
            ["storescu", "-aet", "STATION", "-aec", "AMRG", "127.0.0.1", str(port), *study],
            capture_output=True,
            check=False,
        )
    assert done.returncode != 0
    wait_until(lambda: not node.node.connections, "the association to end")
    (image,) = node.images()
    assert node.storage.is_intact(image.path, image.sha256)
    assert [f.name for f in node.storage.folder.rglob("*") if f.is_file()] == [Path(image.path).name]
    assert node.send(*study) == 0
    assert len(node.images()) == 4


class cutting_proxy:  # noqa: N801
    """Passes bytes on to a port, and cuts the connection after so many."""

    def __init__(self, port: int, after: int) -> None:
        self.port, self.after = port, after
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.threads = [threading.Thread(target=self.serve, daemon=True)]

    def __enter__(self) -> int:
        self.threads[0].start()
        return int(self.listening.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self.listening.close()

    def serve(self) -> None:
        station, _ = self.listening.accept()
        node = socket.create_connection(("127.0.0.1", self.port))
        back = threading.Thread(target=self.pass_on, args=(node, station, 2**40), daemon=True)
        back.start()
        self.pass_on(station, node, self.after)
        for side in (station, node):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            side.close()

    @staticmethod
    def pass_on(source: socket.socket, to: socket.socket, limit: int) -> None:
        try:
            while limit > 0 and (data := source.recv(min(4096, limit))):
                to.sendall(data)
                limit -= len(data)
        except OSError:
            pass


def test_fifty_associations_are_served_or_asked_to_come_again(tmp_path: Path, study: list[Path]) -> None:
    with running_node(tmp_path / "node", DicomSettings(associations=64, associations_a_sender=64)) as node:
        with ThreadPoolExecutor(50) as many:
            done = list(many.map(lambda n: node.send(study[n % 4], calling=f"STATION{n}"), range(50)))
        assert done == [0] * 50
        assert len(node.images()) == 4
        wait_until(lambda: not node.node.connections, "all associations to end")


def test_only_named_stations_may_send(tmp_path: Path) -> None:
    dicom = DicomSettings(senders=(Sender(ae_title="MAMMO1"), Sender(ae_title="MAMMO2", address="10.0.0.0/8")))
    with running_node(tmp_path / "node", dicom) as node:
        assert echo(node, "MAMMO1")
        assert not echo(node, "MAMMO2")
        assert not echo(node, "STRANGER")
        assert not echo(node, "MAMMO1", called="OTHER")


def test_without_named_stations_this_machine_alone_may_send() -> None:
    assert may_send((), "ANY", "127.0.0.1")
    assert may_send((), "ANY", "::1")
    assert not may_send((), "ANY", "10.1.2.3")
    assert may_send((Sender(ae_title="M", address="10.1.2.3"),), "M", "10.1.2.3")
    assert not may_send((Sender(ae_title="M", address="10.1.2.3"),), "M", "10.1.2.4")


def test_senders_wait_while_too_many_studies_do(node: RunningNode, study: list[Path]) -> None:
    full = Settings.model_validate({"jobs": {"most_waiting": 1}})
    assert node.send(*study) == 0
    wait_until(lambda: node.studies()[0].state == "waiting", "the study to be complete")
    node.node.settings = node.settings.model_copy(update={"jobs": full.jobs})
    assert not echo(node)
    node.node.settings = node.settings
    assert echo(node)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate that signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command: list[str | Path] = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        cert,
    ]
    options = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return key, cert


def test_tls_and_a_stranger_who_does_not_shake_hands(
    tmp_path: Path, study: list[Path], certificate: tuple[Path, Path]
) -> None:
    key, cert = certificate
    dicom = DicomSettings(tls_certificate=cert, tls_key=key, tls_ca=cert, idle_seconds=5)
    with running_node(tmp_path / "node", dicom) as node:
        stranger = raw(node)  # says nothing while the station below stores
        assert node.send(*study, options=("+tls", str(key), str(cert), "+cf", str(cert))) == 0
        assert node.send(study[0], options=("+tla", "-ic")) != 0  # no certificate of its own
        assert node.send(study[0]) != 0
        assert len(node.images()) == 4
        wait_until(lambda: not node.node.connections, "the stranger's connection to end")
        stranger.close()
