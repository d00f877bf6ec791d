"""Files that a person edited are never overwritten or removed; files of another draft do not stay unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from amrg.core.hashing import sha256_of_file
from amrg.generation.saving import MANIFEST, Saved, WrittenFiles, save

KNOWN = ("report.txt", "report.json")
FIRST = {"report.txt": b"first\n", "report.json": b"{}\n"}
SECOND = {"report.txt": b"second\n", "report.json": b"[]\n"}


def test_what_amrg_wrote_is_replaced(tmp_path: Path) -> None:
    for contents in (FIRST, FIRST, SECOND):
        assert save(tmp_path, contents, "document", KNOWN) == Saved(tmp_path)
        assert {name: (tmp_path / name).read_bytes() for name in KNOWN} == contents
        manifest = WrittenFiles.model_validate_json((tmp_path / MANIFEST).read_bytes())
        assert {name: file.sha256 for name, file in manifest.files.items()} == {
            name: sha256_of_file(tmp_path / name) for name in KNOWN
        }
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((*KNOWN, MANIFEST))


def test_an_edited_file_is_left_however_often_the_command_runs(tmp_path: Path) -> None:
    save(tmp_path, FIRST, "a", KNOWN)
    (tmp_path / "report.txt").write_text("signed\n", encoding="utf-8")
    for contents in (SECOND, FIRST, SECOND):
        assert save(tmp_path, contents, "b", KNOWN).edited == ("report.txt",)
        assert (tmp_path / "report.txt").read_text(encoding="utf-8") == "signed\n"
        assert (tmp_path / "report.json").read_bytes() == contents["report.json"]


def test_an_edited_file_moved_away_is_written_anew(tmp_path: Path) -> None:
    save(tmp_path, FIRST, "a", KNOWN)
    (tmp_path / "report.txt").write_text("signed\n", encoding="utf-8")
    (tmp_path / "report.txt").rename(tmp_path / "signed.txt")
    assert save(tmp_path, SECOND, "b", KNOWN).edited == ()
    assert (tmp_path / "report.txt").read_bytes() == SECOND["report.txt"]
    assert (tmp_path / "signed.txt").read_text(encoding="utf-8") == "signed\n"


@pytest.mark.parametrize("manifest", [None, b"", b"no JSON", b'{"files": 3}', b"\xff"])
def test_a_file_that_no_manifest_knows_belongs_to_a_person(tmp_path: Path, manifest: bytes | None) -> None:
    (tmp_path / "report.txt").write_text("mine\n", encoding="utf-8")
    if manifest is not None:
        (tmp_path / MANIFEST).write_bytes(manifest)
    assert save(tmp_path, FIRST, "a", KNOWN).edited == ("report.txt",)
    assert (tmp_path / "report.txt").read_text(encoding="utf-8") == "mine\n"


def test_a_file_that_is_already_as_it_is_to_be_written_is_no_edit(tmp_path: Path) -> None:
    save(tmp_path, FIRST, "a", KNOWN)
    (tmp_path / MANIFEST).unlink()
    assert save(tmp_path, FIRST, "a", KNOWN) == Saved(tmp_path)


def test_files_of_another_document_are_removed_and_those_of_the_same_stay(tmp_path: Path) -> None:
    save(tmp_path, FIRST, "a", KNOWN)
    one = {"report.txt": FIRST["report.txt"]}
    assert save(tmp_path, one, "a", KNOWN) == Saved(tmp_path)
    assert (tmp_path / "report.json").exists()
    assert save(tmp_path, one, "b", KNOWN) == Saved(tmp_path, removed=("report.json",))
    assert not (tmp_path / "report.json").exists()
    assert save(tmp_path, one, "c", KNOWN) == Saved(tmp_path)


def test_an_edited_file_of_another_document_is_left_and_named(tmp_path: Path) -> None:
    save(tmp_path, FIRST, "a", KNOWN)
    (tmp_path / "report.json").write_text("edited", encoding="utf-8")
    for _ in range(2):
        saved = save(tmp_path, {"report.txt": b"second\n"}, "b", KNOWN)
        assert saved == Saved(tmp_path, edited=("report.json",))
        assert (tmp_path / "report.json").read_text(encoding="utf-8") == "edited"
