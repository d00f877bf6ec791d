from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import UID
from sqlalchemy.exc import OperationalError

from amrg.service.database.tables import StudyState
from amrg.service.storage import Storage
from tests.service.nodes import RunningNode, changed, dcmtk, draw_study, running_node, station, wait_until

SYNTAXES = {
    "-xe": "1.2.840.10008.1.2.1",
    "-xi": "1.2.840.10008.1.2",
    "-xs": "1.2.840.10008.1.2.4.70",
    "-xv": "1.2.840.10008.1.2.4.90",
    "-xt": "1.2.840.10008.1.2.4.80",
    "-xr": "1.2.840.10008.1.2.5",
}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningNode]:
    with running_node(tmp_path / "node") as running:
        yield running


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_study(tmp_path_factory.mktemp("study"))


def test_a_station_verifies_and_stores(node: RunningNode, study: list[Path]) -> None:
    assert node.echo() == 0
    assert node.send(*study) == 0
    assert len(node.images()) == 4
    for image, file in zip(node.images(), study, strict=True):
        stored = node.storage.path_of(image.path)
        assert pydicom.dcmread(stored).PixelData == pydicom.dcmread(file).PixelData
        assert node.storage.is_intact(image.path, image.sha256)
        assert image.sender == "STATION"
    (row,) = node.studies()
    assert row.image_revision == 4
    wait_until(lambda: node.studies()[0].state is StudyState.WAITING, "the study to be complete")
    assert node.storage.receiving() == []


@pytest.mark.parametrize("option", SYNTAXES)
def test_what_is_received_stays_in_its_syntax(
    node: RunningNode, study: list[Path], tmp_path: Path, option: str
) -> None:
    file = encoded(study[0], tmp_path / "encoded.dcm", SYNTAXES[option])
    assert node.send(file, options=(option,)) == 0
    (image,) = node.images()
    assert image.transfer_syntax_uid == SYNTAXES[option]
    stored = pydicom.dcmread(node.storage.path_of(image.path))
    assert stored.file_meta.TransferSyntaxUID == SYNTAXES[option]
    assert (stored.pixel_array == pydicom.dcmread(study[0]).pixel_array).all()


def encoded(file: Path, to: Path, syntax: str) -> Path:
    """A file in another transfer syntax, without loss."""
    if syntax.startswith("1.2.840.10008.1.2.4.70"):
        assert dcmtk("dcmcjpeg", "+e1", file, to) == 0
    elif syntax in (UID("1.2.840.10008.1.2"), "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"):
        shutil.copy(file, to)
    else:
        dataset = pydicom.dcmread(file)
        dataset.compress(syntax)
        dataset.save_as(to)
    return to


def test_the_same_study_three_times_is_one_study_with_one_job(node: RunningNode, study: list[Path]) -> None:
    for _ in range(3):
        assert node.send(*study) == 0
    with ThreadPoolExecutor(5) as many:
        assert list(many.map(lambda _: node.send(study[0]), range(5))) == [0] * 5
    assert len(node.images()) == 4
    assert node.studies()[0].image_revision == 4
    assert len(list(node.storage.folder.glob("??/*.dcm"))) == 4


def test_ten_at_the_same_moment_make_one_row(node: RunningNode, study: list[Path]) -> None:
    with ThreadPoolExecutor(10) as many:
        assert list(many.map(lambda _: node.send(study[0]), range(10))) == [0] * 10
    (image,) = node.images()
    assert node.storage.is_intact(image.path, image.sha256)
    assert [f.name for f in node.storage.folder.glob("??/*.dcm")] == [Path(image.path).name]


def test_other_bytes_under_the_same_uid_are_both_stored_and_the_last_is_current(
    node: RunningNode, study: list[Path], tmp_path: Path
) -> None:
    other = changed(study[0], tmp_path / "other.dcm", StudyDescription="X")
    assert (node.send(study[0]), node.send(other)) == (0, 0)
    first, second = node.images()
    assert (first.current, second.current) == (False, True)
    for image in (first, second):
        assert node.storage.is_intact(image.path, image.sha256)
    assert node.studies()[0].image_revision == 2


def test_an_earlier_content_that_is_sent_again_is_current_again(
    node: RunningNode, study: list[Path], tmp_path: Path
) -> None:
    other = changed(study[0], tmp_path / "other.dcm", StudyDescription="X")
    assert [node.send(file) for file in (study[0], other, study[0])] == [0, 0, 0]
    first, second = node.images()
    assert (first.current, second.current) == (True, False)
    assert all(node.storage.is_intact(image.path, image.sha256) for image in (first, second))
    assert node.studies()[0].image_revision == 3


def test_an_image_that_another_study_has_under_the_same_uid_stays_where_it_is(
    node: RunningNode, study: list[Path], tmp_path: Path
) -> None:
    other = changed(study[0], tmp_path / "other.dcm", StudyInstanceUID="1.2.3", PatientID="B")
    assert (node.send(study[0]), node.send(other)) == (0, 0)
    first, second = node.images()
    assert first.study_id != second.study_id
    assert (first.current, second.current) == (True, True)
    assert [row.image_revision for row in node.studies()] == [1, 1]


BAD_UIDS = ("../../../tmp/x", "/tmp/x", "1.2.a", "..")


@pytest.mark.parametrize("uid", BAD_UIDS)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_nothing_that_is_sent_is_part_of_a_path(node: RunningNode, study: list[Path], tmp_path: Path, uid: str) -> None:
    before = {f for f in tmp_path.rglob("*") if f.suffix not in (".sqlite3-wal", ".sqlite3-shm")}
    file = changed(study[0], tmp_path / "bad.dcm", SOPInstanceUID=uid)
    assert node.send(file) != 0
    file.unlink()
    assert {f for f in tmp_path.rglob("*") if f.suffix not in (".sqlite3-wal", ".sqlite3-shm")} == before
    assert node.images() == []


@pytest.mark.parametrize(
    "values", [{"PatientID": "../../.."}, {"AccessionNumber": "/etc/x"}, {"PatientName": "a\\..^b"}]
)
def test_free_text_may_look_like_a_path(
    node: RunningNode, study: list[Path], tmp_path: Path, values: dict[str, str]
) -> None:
    assert node.send(changed(study[0], tmp_path / "odd.dcm", **values)) == 0
    (image,) = node.images()
    assert node.storage.path_of(image.path).resolve().is_relative_to(node.storage.folder.resolve())


def test_a_data_set_that_is_not_the_one_announced_is_refused(
    node: RunningNode, study: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request names the file meta's UID here, and the data set another one."""
    monkeypatch.setattr("pynetdicom._config.STORE_SEND_CHUNKED_DATASET", True)  # the file is sent as it is
    dataset = pydicom.dcmread(study[0])
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    with pydicom.config.disable_value_validation():
        dataset.save_as(tmp_path / "mixed.dcm", enforce_file_format=False)
    from pynetdicom import AE

    entity = AE("STATION")
    entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", node.node.port, ae_title="AMRG")
    status = association.send_c_store(tmp_path / "mixed.dcm")
    association.release()
    assert (status.Status, node.images()) == (0xA900, [])


def test_no_room_is_answered_with_a700_and_works_again_once_there_is(
    node: RunningNode, study: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    node.storage.reserve = 2**62
    done = station("storescu", "-v", "-aec", "AMRG", "127.0.0.1", str(node.node.port), study[0])
    assert "Refused: OutOfResources" in done.stdout + done.stderr
    assert node.images() == []
    assert [f for f in node.storage.folder.rglob("*") if f.is_file()] == []
    node.storage.reserve = 0
    assert node.send(*study) == 0
    assert len(node.images()) == 4


def test_a_disk_that_fills_while_an_object_arrives_leaves_nothing_behind(study: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with running_node(tmp_path / "node", storage=Storage(folder)) as node:
            assert node.send(*study) != 0
            received = node.images()
            assert len(received) < 4
            assert len([f for f in folder.rglob("*") if f.is_file()]) == len(received)
            subprocess.run(["mount", "-o", "remount,size=8m", folder], check=True)
            assert node.send(*study) == 0
            assert len(node.images()) == 4
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_database_that_is_away_is_answered_with_a700(
    node: RunningNode, study: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("", {}, Exception("server closed the connection"))

    with monkeypatch.context() as patch:
        patch.setattr("amrg.service.intake.database_now", away)
        done = station("storescu", "-v", "-aec", "AMRG", "127.0.0.1", str(node.node.port), study[0])
        assert "Refused: OutOfResources" in done.stdout + done.stderr
    assert [f for f in node.storage.folder.rglob("*") if f.is_file()] == []
    assert node.send(study[0]) == 0


def test_what_a_crash_left_is_cleared_at_the_start(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    half = storage.spool()
    half.write(b"\0" * 1000)
    half.close()
    whole = storage.spool()
    whole.write(b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0" + b"\0" * 4 + b"data")
    assert whole.sha256 == hashlib.sha256(b"data").hexdigest()
    path = storage.store(whole)
    assert (storage.clear_incoming(), storage.remove_orphans(lambda: [path])) == (1, 0)
    assert storage.is_intact(path, whole.sha256)
    assert storage.remove_orphans(lambda: []) == 1
