"""Files that a person edited are never overwritten or removed; files of another draft do not stay unnoticed."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from amrg.core.hashing import sha256_of_file
from amrg.generation.saving import Saved, WrittenFiles, WrittenFrom, read_manifest, save, withdraw
from amrg.imaging.containers import DRAFT_MANIFEST

KNOWN = ("report.txt", "report.json")
FIRST = {"report.txt": b"first\n", "report.json": b"{}\n"}
SECOND = {"report.txt": b"second\n", "report.json": b"[]\n"}


def test_what_amrg_wrote_is_replaced(tmp_path: Path) -> None:
    for contents in (FIRST, FIRST, SECOND):
        assert save(tmp_path, contents, WrittenFrom("document"), KNOWN) == Saved(tmp_path)
        assert {name: (tmp_path / name).read_bytes() for name in KNOWN} == contents
        manifest = WrittenFiles.model_validate_json((tmp_path / DRAFT_MANIFEST).read_bytes())
        assert {name: file.sha256 for name, file in manifest.files.items()} == {
            name: sha256_of_file(tmp_path / name) for name in KNOWN
        }
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((*KNOWN, DRAFT_MANIFEST))


def test_an_edited_file_is_left_however_often_the_command_runs(tmp_path: Path) -> None:
    save(tmp_path, FIRST, WrittenFrom("a"), KNOWN)
    (tmp_path / "report.txt").write_text("signed\n", encoding="utf-8")
    for contents in (SECOND, FIRST, SECOND):
        assert save(tmp_path, contents, WrittenFrom("b"), KNOWN).edited == ("report.txt",)
        assert (tmp_path / "report.txt").read_text(encoding="utf-8") == "signed\n"
        assert (tmp_path / "report.json").read_bytes() == FIRST["report.json"]


@pytest.mark.parametrize("names", [("report.txt",), KNOWN], ids=["one format", "all formats"])
def test_the_other_files_of_an_edited_ones_document_are_neither_removed_nor_replaced(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    save(tmp_path, FIRST, WrittenFrom("a"), KNOWN)
    (tmp_path / "report.txt").write_text("signed\n", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    saved = save(tmp_path, {name: SECOND[name] for name in names}, WrittenFrom("b"), KNOWN)
    assert (saved.edited, saved.removed, saved.written) == (("report.txt",), (), ())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_other_files_of_the_same_document_are_written_next_to_an_edited_one(tmp_path: Path) -> None:
    save(tmp_path, {"report.txt": FIRST["report.txt"]}, WrittenFrom("a"), KNOWN)
    (tmp_path / "report.txt").write_text("signed\n", encoding="utf-8")
    saved = save(tmp_path, FIRST, WrittenFrom("a"), KNOWN)
    assert (saved.edited, saved.written) == (("report.txt",), ("report.json",))


def test_an_edited_file_moved_away_is_written_anew(tmp_path: Path) -> None:
    save(tmp_path, FIRST, WrittenFrom("a"), KNOWN)
    (tmp_path / "report.txt").write_text("signed\n", encoding="utf-8")
    (tmp_path / "report.txt").rename(tmp_path / "signed.txt")
    assert save(tmp_path, SECOND, WrittenFrom("b"), KNOWN).edited == ()
    assert (tmp_path / "report.txt").read_bytes() == SECOND["report.txt"]
    assert (tmp_path / "signed.txt").read_text(encoding="utf-8") == "signed\n"


@pytest.mark.parametrize("manifest", [None, b"", b"no JSON", b'{"files": 3}', b"\xff"])
def test_a_file_that_no_manifest_knows_belongs_to_a_person(tmp_path: Path, manifest: bytes | None) -> None:
    (tmp_path / "report.txt").write_text("mine\n", encoding="utf-8")
    if manifest is not None:
        (tmp_path / DRAFT_MANIFEST).write_bytes(manifest)
    assert save(tmp_path, FIRST, WrittenFrom("a"), KNOWN).edited == ("report.txt",)
    assert (tmp_path / "report.txt").read_text(encoding="utf-8") == "mine\n"


def test_a_file_that_is_already_as_it_is_to_be_written_is_no_edit(tmp_path: Path) -> None:
    save(tmp_path, FIRST, WrittenFrom("a"), KNOWN)
    (tmp_path / DRAFT_MANIFEST).unlink()
    assert save(tmp_path, FIRST, WrittenFrom("a"), KNOWN) == Saved(tmp_path)


def test_files_of_another_document_are_removed_and_those_of_the_same_stay(tmp_path: Path) -> None:
    save(tmp_path, FIRST, WrittenFrom("a"), KNOWN)
    one = {"report.txt": FIRST["report.txt"]}
    assert save(tmp_path, one, WrittenFrom("a"), KNOWN) == Saved(tmp_path)
    assert (tmp_path / "report.json").exists()
    assert save(tmp_path, one, WrittenFrom("b"), KNOWN) == Saved(tmp_path, removed=("report.json",))
    assert not (tmp_path / "report.json").exists()
    assert save(tmp_path, one, WrittenFrom("c"), KNOWN) == Saved(tmp_path)


def test_an_edited_file_of_another_document_is_left_and_named(tmp_path: Path) -> None:
    save(tmp_path, FIRST, WrittenFrom("a"), KNOWN)
    (tmp_path / "report.json").write_text("edited", encoding="utf-8")
    for _ in range(2):
        saved = save(tmp_path, {"report.txt": b"second\n"}, WrittenFrom("b"), KNOWN)
        assert saved == Saved(tmp_path, edited=("report.json",))
        assert (tmp_path / "report.json").read_text(encoding="utf-8") == "edited"


@pytest.mark.parametrize("replaced", [(), ("report.txt",), KNOWN], ids=["none", "one", "both"])
def test_a_run_that_was_killed_leaves_nothing_that_looks_edited(tmp_path: Path, replaced: tuple[str, ...]) -> None:
    save(tmp_path / "new", SECOND, WrittenFrom("b"), KNOWN)
    save(tmp_path / "old", FIRST, WrittenFrom("a"), KNOWN)
    new, old = (read_manifest(tmp_path / name) for name in ("new", "old"))
    killed = old.model_copy(update={"replacing": new.files})
    (tmp_path / "old" / DRAFT_MANIFEST).write_text(killed.model_dump_json(), encoding="utf-8")
    for name in replaced:
        (tmp_path / "old" / name).write_bytes(SECOND[name])
    third = dict.fromkeys(KNOWN, b"third\n")
    assert save(tmp_path / "old", third, WrittenFrom("c"), KNOWN) == Saved(tmp_path / "old")
    assert {name: (tmp_path / "old" / name).read_bytes() for name in KNOWN} == third


def test_all_files_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "old", FIRST, WrittenFrom("a"), KNOWN)
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name.startswith("report.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    for folder in ("old", "new"):
        with pytest.raises(OSError, match="No space") as raised:
            save(tmp_path / folder, SECOND, WrittenFrom("b"), KNOWN)
        assert raised.value.filename == str(tmp_path / folder / "report.json")
    monkeypatch.undo()
    assert {name: (tmp_path / "old" / name).read_bytes() for name in KNOWN} == FIRST
    assert not (tmp_path / "new").exists()
    assert save(tmp_path / "old", SECOND, WrittenFrom("b"), KNOWN) == Saved(tmp_path / "old")


def test_a_withdrawn_draft_leaves_what_a_person_changed(tmp_path: Path) -> None:
    save(tmp_path / "a", FIRST, WrittenFrom("a"), KNOWN)
    assert withdraw(tmp_path / "a", KNOWN) == Saved(tmp_path / "a", removed=KNOWN)
    assert not (tmp_path / "a").exists()
    assert withdraw(tmp_path / "a", KNOWN) == Saved(tmp_path / "a")
    save(tmp_path / "b", FIRST, WrittenFrom("a"), KNOWN)
    (tmp_path / "b" / "report.txt").write_text("signed\n", encoding="utf-8")
    for removed in (("report.json",), ()):
        assert withdraw(tmp_path / "b", KNOWN) == Saved(tmp_path / "b", ("report.txt",), removed)
    assert (tmp_path / "b" / "report.txt").read_text(encoding="utf-8") == "signed\n"
