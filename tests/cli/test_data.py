"""`amrg data` as a user types it: import, stats, split, check, list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amrg.cli import Exit, app
from amrg.datasets.importers.registry import IMPORTERS
from tests.datasets.replicas import dmid_replica


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DMID, imported and split cleanly and by images."""
    place = tmp_path_factory.mktemp("data")
    root = dmid_replica(place / "as-published", 2, 120)
    assert run("import", "dmid", root, "--out", place / "dmid").exit_code == Exit.OK
    assert run("split", place / "dmid", "clean").exit_code == Exit.OK
    return place / "dmid"


def test_import_says_what_it_found_and_again_changes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = run("import", "dmid", folder.parent / "as-published", "--out", folder, "--json")
    assert done.exit_code == Exit.OK, done.stderr
    document = json.loads(done.stdout)
    assert document["counts"] == {"cases": 120, "images": 2, "parts": 1, "oddities": 119}
    assert document["schema"] == 1
    assert document["licence"] == "CC BY 4.0"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_an_import_where_no_cluster_answers_is_one_line(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    root = folder.parent / "as-published"
    done = run("import", "dmid", root, "--out", tmp_path / "out", "--ray", "127.0.0.1:1")
    assert done.exit_code == Exit.USAGE
    assert "--ray 127.0.0.1:1: no Ray cluster answers there" in done.output
    assert list((tmp_path / "out").iterdir()) == []


def test_without_a_folder_named_it_goes_to_one_of_the_set_s_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("import", "dmid", folder.parent / "as-published").exit_code == Exit.OK
    assert (tmp_path / "data" / "dmid" / "dataset.json").read_bytes() == (folder / "dataset.json").read_bytes()


def test_import_names_oddities_and_cases_without_a_patient(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    rows = [f"c{i},gone-{i}.png,2," for i in range(7)]
    (tmp_path / "set" / "cases.csv").write_text(
        "\n".join(["id,files,birads,patient", *rows, "p,,1,A"]), encoding="utf-8"
    )
    done = run("import", "generic", tmp_path / "set", "--out", tmp_path / "out")
    assert done.exit_code == Exit.OK, done.output
    notes = [line for line in done.stderr.splitlines() if line.startswith("amrg: note: ")]
    assert notes[0] == "amrg: note: cases.csv line 2, files: gone-0.png: no such file; expected an image"
    assert notes[5] == f"amrg: note: and 2 more in {tmp_path / 'out' / 'oddities.jsonl'}"
    assert notes[6].startswith("amrg: note: no case has an image")
    assert notes[7].startswith(
        "amrg: note: 7 of 8 cases name no patient: the split clean keeps those of one report text"
    )
    assert len(notes) == 8


def test_missing_images_are_counted_and_a_case_without_any_is_named(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(b"png")
    table = tmp_path / "set" / "cases.csv"
    table.write_text("id,files,birads\none,a.png;b.png,2\ntwo,c.png,2\n", encoding="utf-8")
    done = run("import", "generic", tmp_path / "set", "--out", tmp_path / "out")
    assert done.exit_code == Exit.OK, done.output
    assert "1 of 2 cases has no image, not drafted or trained on: two" in done.stderr
    assert "missing images: 2" in run("stats", tmp_path / "out").stdout
    table.write_text("id,files,birads\ntwo,c.png,2\n", encoding="utf-8")
    done = run("import", "generic", tmp_path / "set", "--out", tmp_path / "none")
    assert "no case has an image" in done.stderr


def test_a_table_without_a_usable_case_can_be_corrected_and_imported_again(tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("id,files,birads\na,,seven\n", encoding="utf-8")
    refused = run("import", "generic", tmp_path, "--out", tmp_path / "out")
    assert refused.exit_code == Exit.UNREADABLE
    assert "no case of generic found; cases.csv line 2, birads: seven" in refused.stderr
    table.write_text("id,files,birads\na,,4a\n", encoding="utf-8")
    assert run("import", "generic", tmp_path, "--out", tmp_path / "out").exit_code == Exit.OK


def test_stats_count(folder: Path) -> None:
    document = json.loads(run("stats", folder, "--json").stdout)
    assert (document["cases"], document["missing_images"], document["patients"]) == (120, 118, 0)
    assert sum(document["tables"]["category"].values()) == 120
    assert "clean" in document["splits"]
    assert "missing images: 118" in run("stats", folder).stdout


def test_split_and_check_report_the_leak_with_an_exit_code(folder: Path) -> None:
    split = json.loads(run("split", folder, "image-407-51-52", "--seed", 3, "--json").stdout)
    assert split["sizes"] == {"train": 96, "validation": 12, "test": 12}
    assert split["seed"] == 3
    clean = run("check", folder, "--split", "clean")
    assert "patients were not compared: no case names its patient" in clean.output
    assert clean.exit_code == Exit.OK
    assert "split clean: no leaks" in clean.stdout
    leaking = run("check", folder, "--json")
    assert leaking.exit_code == Exit.LEAK
    assert "leaks in the split image-407-51-52" in leaking.stderr
    checks = {found["split"]: found for found in json.loads(leaking.stdout)}
    assert checks["clean"]["clean"] is True
    assert checks["image-407-51-52"]["hash"] == split["hash"]
    leak = next(one for one in checks["image-407-51-52"]["leaks"] if one["cases"])
    assert leak["share"] == leak["n"] / leak["of"] == len(leak["cases"]) / leak["of"]


def test_list_names_every_data_set_with_its_licence() -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert [entry["name"] for entry in listed] == sorted(IMPORTERS)
    assert all(entry["licence"] and entry["title"] for entry in listed)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("import", "ddsm", ".", "--out", "x"), Exit.USAGE, "NAME is 'ddsm'; expected one of"),
        (("import", "dmid", "no/such", "--out", "{empty}/x"), Exit.UNREADABLE, "no such folder"),
        (("import", "dmid", "{empty}", "--out", "{empty}/x"), Exit.UNREADABLE, "Metadata.xlsx: no such file"),
        (("import", "generic", "{set}", "--out", "{data}"), Exit.UNREADABLE, "contains dmid from"),
        (("import", "generic", "{set}", "--out", "{file}/x"), Exit.UNWRITABLE, "cannot be written"),
        (("stats", "{empty}"), Exit.UNREADABLE, "dataset.json is missing"),
        (("split", "{data}", "best"), Exit.UNREADABLE, "no split 'best'; expected one of clean"),
        (("split", "{data}", "clean", "--seed", "9"), Exit.UNREADABLE, "contains a different split (seed 0"),
        (("split", "{data}", "all-test", "--seed", "1"), Exit.UNREADABLE, "takes no seed"),
        (("check", "{data}", "--split", "none"), Exit.UNREADABLE, "no split 'none'; found clean"),
    ],
)
def test_a_user_error_is_one_line_and_a_code(
    arguments: tuple[str, ...], code: Exit, message: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "cases.csv").write_text("id,files,birads\na,,1\n", encoding="utf-8")
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    places = {name: tmp_path / name for name in ("set", "file", "empty")} | {"data": folder}
    done = run(*(a.format(**places) for a in arguments))
    assert done.exit_code == code, done.output
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.output
    assert sum(line.startswith("amrg: ") for line in done.stderr.splitlines()) == 1
