"""STOW-RS: every way that clients write multipart, every way that it can be wrong, and no bytes stored twice."""

from __future__ import annotations

import gzip
import io
import threading
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from sqlalchemy import func, select

from amrg.service.database.tables import InstanceRow, StudyRow
from tests.service.api.clients import API, Api, Person

QUOTED = 'multipart/related; type="application/dicom"; boundary="{}"'


def dicom(number: int, study: str = "1.2.3") -> bytes:
    """A small DICOM file."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.StudyInstanceUID = study
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[study, str(number)])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def body(*parts: bytes, boundary: str = "b", headers: str = "Content-Type: application/dicom\r\n") -> bytes:
    """A multipart body."""
    opened = [f"--{boundary}\r\n{headers}\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join(opened) + f"--{boundary}--\r\n".encode()


def post(person: Person, content: Any, kind: str = QUOTED.format("b"), **headers: str) -> Any:
    sent = {"X-CSRF-Token": person.csrf, "Content-Type": kind, **headers}
    return person.client.post(f"{API}/studies", content=content, headers=sent)


def rows(api: Api) -> tuple[int, int]:
    with api.sessions() as session:
        count = [session.scalar(select(func.count()).select_from(table)) or 0 for table in (StudyRow, InstanceRow)]
    assert list((api.app.state.service.settings.images / "incoming").iterdir()) == []
    return count[0], count[1]


def test_what_is_stored_and_what_is_not_is_named(api: Api, reader: Person) -> None:
    good = [dicom(number) for number in range(3)]
    some = post(reader, body(good[0], b"plain text", good[1]))
    assert some.status_code == 202
    assert len(some.json()["00081199"]["Value"]) == 2
    (failure,) = some.json()["00081198"]["Value"]
    assert failure["00081197"]["Value"] == [0x0110]
    assert failure["00000902"]["Value"][0].startswith("part 2: ")
    none = post(reader, body(b"text", b""))
    assert none.status_code == 409
    assert "00081199" not in none.json()
    everything = post(reader, body(*good))
    assert (everything.status_code, "00081198" in everything.json()) == (200, False)
    assert rows(api) == (1, 3)


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        (QUOTED, "b"),
        ("multipart/related; type=application/dicom; boundary={}", "b"),
        ("Multipart/Related; boundary={}", "b"),
        (QUOTED, "'()+_,-./:=?"),
    ],
)
def test_ways_to_write_it(api: Api, reader: Person, kind: str, boundary: str) -> None:
    answer = post(reader, body(dicom(1), boundary=boundary), kind.format(boundary))
    assert answer.status_code == 200, answer.text
    assert rows(api) == (1, 1)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", QUOTED.format("b"), 400),
        (b"--b--\r\n", QUOTED.format("b"), 400),
        (b"garbage", QUOTED.format("b"), 400),
        (b"{}", "application/json", 415),
        (b"--b--", "multipart/related", 415),
        (b"--b--", 'multipart/related; type="application/dicom+json"; boundary=b', 415),
        (b"--b--", "multipart/related; boundary=" + "x" * 71, 400),
    ],
)
def test_what_is_no_upload(api: Api, reader: Person, content: bytes, kind: str, status: int) -> None:
    assert post(reader, content, kind).status_code == status
    assert rows(api) == (0, 0)


def test_a_body_that_was_cut_stores_nothing(api: Api, reader: Person) -> None:
    whole = body(dicom(1), dicom(2))
    assert post(reader, whole[: -len("--b--\r\n")]).status_code == 400
    assert post(reader, whole[: len(whole) // 2]).status_code == 400
    assert rows(api) == (0, 0)


def test_a_compressed_body_is_refused_unread(api: Api, reader: Person) -> None:
    bomb = gzip.compress(bytes(2**24))
    assert post(reader, bomb, **{"Content-Encoding": "gzip"}).status_code == 415
    headers = {"X-CSRF-Token": reader.csrf, "Content-Encoding": "gzip"}
    assert reader.client.post(f"{API}/login", content=bomb, headers=headers).status_code == 415
    assert rows(api) == (0, 0)


def test_large_bodies_are_refused_stated_or_not(reader: Person) -> None:
    assert reader.client.post(f"{API}/login", content=bytes(2**20 + 1)).status_code == 413

    def chunks() -> Any:
        yield from (bytes(2**18) for _ in range(5))

    assert reader.client.post(f"{API}/login", content=chunks()).status_code == 413


def test_the_same_file_three_times_two_of_them_together(api: Api, reader: Person) -> None:
    content, statuses = body(dicom(1)), []
    threads = [threading.Thread(target=lambda: statuses.append(post(reader, content).status_code)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses.append(post(reader, content).status_code)
    assert statuses == [200] * 3
    assert rows(api) == (1, 1)
