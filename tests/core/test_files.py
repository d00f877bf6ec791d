"""Atomic writes by several processes, some of them killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amrg.core.files import atomic_write, write_text


def test_what_is_written_takes_its_place_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert write_text(path, ["one"]) == 1
    with atomic_write(path) as partial:
        partial.write_text("two\n", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "one\n"
    assert path.read_text(encoding="utf-8") == "two\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_files_of_one_stem_and_of_several_processes_are_written_concurrently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with atomic_write(tmp_path / "sweep.json") as one, atomic_write(tmp_path / "sweep.html") as page:
        monkeypatch.setattr(os, "getpid", os.getppid)  # a process that lives, as this one does
        with atomic_write(tmp_path / "sweep.json") as other:
            assert len({one, page, other}) == 3
            for partial, text in ((one, "one"), (page, "page"), (other, "other")):
                partial.write_text(text, encoding="utf-8")
    assert {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()} == {
        "sweep.json": "one",  # the last one finished
        "sweep.html": "page",
    }


def test_what_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_text(path, ["one"])

    def lines() -> Iterator[str]:
        yield "half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_text(path, lines())
    assert {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()} == {"a.json": "one\n"}


def test_the_partial_file_of_a_killed_process_is_removed_at_the_next_write(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from amrg.core.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as partial: partial.write_text('half'); os.kill(os.getpid(), 9)"
    )
    path, other = tmp_path / "a.json", tmp_path / "b.json"
    for killed in (path, other):
        assert subprocess.run([sys.executable, "-c", code, str(killed)], check=False).returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    write_text(path, ["one"])
    assert sorted(p.name.split(".")[0] for p in tmp_path.iterdir()) == ["a", "b"]
    assert path.is_file()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_file_that_a_library_wrote_for_its_owner_alone_gets_the_umask_s_mode(
    umask: int, mode: int, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "weights") as partial:
            partial.touch(0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "weights").stat().st_mode & 0o777 == mode
    assert [p.name for p in tmp_path.iterdir()] == ["weights"]
