"""A data set imported on a cluster has the bytes of one that is imported here, whatever is killed meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from amrg.birads import Laterality
from amrg.core.attempts import Attempts, new_session
from amrg.core.ray_cluster import RayError, RayPlan, SharedFolder
from amrg.datasets import Case, DatasetError, Item, Oddity, import_dataset
from amrg.datasets.import_dataset import open_job
from amrg.datasets.import_on_ray import ATTEMPTS, PartMaker, make_parts_on_ray
from amrg.datasets.importer import Odd
from amrg.datasets.importers.phantoms import Phantoms
from tests.benchmark.reader import draw

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, and of its sockets
FATAL = "study-4"


class FatalPhantoms(Phantoms):
    """Ends its process over one study, and is slow with the others, so that a node is killed in the middle."""

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        if item.key == FATAL:
            os._exit(7)
        sleep(0.3)
        return super().case(root, item, odd)


class WithoutFatal(Phantoms):
    """Skips that study, with the oddity that is expected of it."""

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        if item.key == FATAL:
            odd(Oddity(where=FATAL, found="its files ended 2 processes", expected="files that can be read"))
            return None
        return super().case(root, item, odd)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven exams, a line that is none between them, and an image that is missing."""
    folder = draw(tmp_path_factory.mktemp("drawn"), [Laterality.LEFT] * 7)
    lines = (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "cases.jsonl").write_text("".join([*lines[:3], "half a li\n", *lines[3:]]), encoding="utf-8")
    (folder / "study-2" / "LCC.dcm").unlink()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_import_on_a_cluster_survives_a_node_and_a_case_that_end(
    cluster: Any, doomed_node: Callable[[], None], drawn: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    list(import_dataset(WithoutFatal(), drawn, here, size=2))

    def progress(what: str, done: int, count: int) -> None:
        doomed_node()

    make_parts_on_ray(FatalPhantoms(), drawn, there, RayPlan(cluster.address), progress, size=2)
    again = [done.again for done in import_dataset(Phantoms(), drawn, there, size=2)]
    assert again == [True] * 4
    assert contents(there) == contents(here)


def test_parts_in_any_order_have_the_bytes_of_one_import(drawn: Path, tmp_path: Path) -> None:
    list(import_dataset(Phantoms(), drawn, tmp_path / "here", size=2))
    job = open_job(Phantoms(), drawn, tmp_path / "there", size=2)
    maker = PartMaker(job, Attempts(job.out / ATTEMPTS, new_session(), "here"))
    for number in ("1", "3", "0", "2", "2"):
        assert maker.make([number]) == [number]
    (job.out / ATTEMPTS).rmdir()
    assert {done.again for done in import_dataset(Phantoms(), drawn, job.out, size=2)} == {True}
    assert contents(job.out) == contents(tmp_path / "here")
    with pytest.raises(DatasetError, match="its tables end before part 9"):
        maker.make(["9"])


def test_a_folder_that_a_node_does_not_see_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amrg.core.ray_cluster.node_id", lambda: "ab12")
    shared = SharedFolder(tmp_path / "out", new_session())
    with shared.opened():
        shared.require("--out", locks=True)  # its lock is held, which another process of this node sees
        elsewhere = SharedFolder(tmp_path, shared.session)
        with pytest.raises(RayError, match=r"not seen on node ab12 .* name a folder for --out that all nodes share"):
            elsewhere.require("--out")
    copied = tmp_path / "out" / f".{shared.session}.running"
    assert not copied.exists()
    copied.touch()  # as where the file is seen, and its lock is not
    shared.require("--out")
    with pytest.raises(RayError, match="file locks do not reach node ab12"):
        shared.require("--out", locks=True)
