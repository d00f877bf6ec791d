"""`amrg report` and `amrg inspect`: a draft never replaces another patient's, and nothing is half-written."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import BreastTomosynthesisImageStorage
from typer.testing import CliRunner, Result

from amrg.birads import Draft
from amrg.cli import Exit, app
from amrg.generation.engines import loading
from amrg.generation.engines.base import Unanswered
from amrg.generation.engines.fixed import FixedEngine
from amrg.imaging import read_studies
from amrg.phantom import Size, draw_exam
from amrg.training.guard.pages import text_page
from tests.generation.bulk_studies import CRASH, write_studies
from tests.imaging.changed import change, change_all, put, write_exam

UID = "1.2.3.4"
Use = Callable[[FixedEngine], None]


@dataclass(frozen=True)
class Interrupted(FixedEngine):
    """A person interrupts while it writes its second text."""

    calls: list[int] = field(default_factory=list)

    def generate(self, requests):  # type: ignore[no-untyped-def]
        self.calls.append(len(requests))
        if len(self.calls) > 1:
            raise KeyboardInterrupt
        return super().generate(requests)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    def set_engine(engine: FixedEngine) -> None:
        monkeypatch.setattr(loading, "load_engine", lambda name=None, **_: engine)

    set_engine(FixedEngine())
    return set_engine


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@cache
def phantom(name: str) -> np.ndarray:
    """A view of a drawn exam, which looks like a mammogram, in 12 bits."""
    views = draw_exam(1_000_002, Size.SMALL).views
    view = next(view for view in views if f"{view.laterality}{view.view}" == name)
    return view.pixels >> max(0, view.bits_stored - 12)


def exam(folder: Path, **attributes: object) -> Path:
    """An exam of its own SOP Instance UIDs with attributes changed."""
    return change_all(write_exam(folder, folder.name, phantom), put(**attributes))


def to_a_page(ds: pydicom.Dataset) -> None:
    """A page of text in place of the breast."""
    page = Image.fromarray(text_page(np.random.default_rng(5))).resize((ds.Columns, ds.Rows))
    ds.PixelData = (4000 * np.asarray(page)).astype(np.uint16).tobytes()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"PatientID": "A"}, {"PatientID": "B"}),
        ({"PatientID": "", "PatientName": "One^Anna"}, {"PatientID": "", "PatientName": "Two^Berta"}),
        ({"PatientID": "A", "IssuerOfPatientID": "X"}, {"PatientID": "A", "IssuerOfPatientID": "Y"}),
    ],
    ids=["another PatientID", "another name", "another issuer"],
)
def test_two_patients_of_one_study_uid_never_share_a_folder(
    tmp_path: Path, use: Use, first: dict[str, str], second: dict[str, str]
) -> None:
    out = tmp_path / "out"
    one = exam(tmp_path / "one", StudyInstanceUID=UID, **first)
    two = exam(tmp_path / "two", StudyInstanceUID=UID, **second)
    assert run("report", one, "--out", out).exit_code == Exit.OK
    before = files(out / UID)
    for _ in range(2):
        done = run("report", two, "--out", out, "--json")
        assert done.exit_code == Exit.OK, done.output
        assert "another patient with the same Study Instance UID" in done.stderr
        (study,) = read_studies(two).studies
        assert json.loads(done.stdout)["reports"][0]["folder"] == f"{UID}-{study.patient_key}"
        assert files(out / UID) == before
    assert len(list(out.glob("[!.]*"))) == 2
    assert run("report", one, "--out", out).exit_code == Exit.OK
    assert files(out / UID) == before


def test_patients_of_a_folder_without_study_uid_have_folders_of_their_own(tmp_path: Path, use: Use) -> None:
    for name in ("A", "B"):
        for path in exam(tmp_path / name, StudyInstanceUID="none", PatientID=name).iterdir():
            (tmp_path / "in").mkdir(exist_ok=True)
            path.rename(tmp_path / "in" / f"{name}-{path.name}")
    done = run("report", tmp_path / "in", "--out", tmp_path / "out", "--workers", 0)
    assert done.exit_code == Exit.OK, done.output
    drafts = [Draft.model_validate_json(path.read_bytes()) for path in (tmp_path / "out").glob("*/report.json")]
    assert len({draft.study.patient_key for draft in drafts if draft.study}) == 2


def test_a_refused_study_keeps_no_draft_of_an_earlier_run(tmp_path: Path, use: Use) -> None:
    source, out = exam(tmp_path / "one", StudyInstanceUID=UID), tmp_path / "out"
    change(source / "RCC.dcm", to_a_page)
    assert run("report", source, "--out", out, "--force").exit_code == Exit.OK
    done = run("report", source, "--out", out)
    assert done.exit_code == Exit.NOT_A_MAMMOGRAM
    assert "no draft: RCC (RCC.dcm) does not look like a mammogram" in done.stderr
    assert f"removed: {out / UID / 'report.json'}, of an earlier draft" in done.stderr
    assert not (out / UID).exists()
    run("report", source, "--out", out, "--force")
    (out / UID / "report.txt").write_text("read and signed", encoding="utf-8")
    again = run("report", source, "--out", out)
    assert again.exit_code == Exit.NOT_A_MAMMOGRAM
    assert "report.txt: of an earlier draft, but changed since" in again.stderr
    assert (out / UID / "report.txt").read_text(encoding="utf-8") == "read and signed"
    assert not (out / UID / "report.json").exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_an_interruption_says_what_is_done_and_leaves_nothing_half_written(
    tmp_path: Path, use: Use, as_json: bool
) -> None:
    for number in (1, 2, 3):
        attributes = {"StudyInstanceUID": f"1.2.{number}", "StudyDate": f"2024010{number}", "PatientID": f"P{number}"}
        exam(tmp_path / "in" / str(number), **attributes)
    use(Interrupted())
    command = ("report", tmp_path / "in", "--out", tmp_path / "out", "--workers", 0)
    done = run(*command, *(["--json"] if as_json else []))
    assert done.exit_code == Exit.INTERRUPTED
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("amrg: "))
    assert f"interrupted: 1 of 3 studies done (1 draft in {tmp_path / 'out'}). Run the same command again" in line
    assert [path.name for path in (tmp_path / "out").glob("[!.]*")] == ["1.2.1"]
    if as_json:
        assert json.loads(done.stdout)["interrupted"] is True
    use(FixedEngine())
    again = run(*command)
    assert again.exit_code == Exit.OK
    assert f"already drafted: {tmp_path / 'out' / '1.2.1'}" in again.stderr
    assert len(list((tmp_path / "out").glob("*/report.json"))) == 3


@dataclass(frozen=True)
class Mute(FixedEngine):
    """Answers nothing."""

    def generate(self, requests):  # type: ignore[no-untyped-def]
        return iter([Unanswered("its answer was cut at 48 tokens")] * len(requests))


def test_a_study_without_a_complete_answer_gets_no_draft_and_a_code_of_its_own(tmp_path: Path, use: Use) -> None:
    use(Mute())
    done = run("report", exam(tmp_path / "one"), "--out", tmp_path / "out", "--json")
    assert done.exit_code == Exit.NO_ANSWER, done.output
    assert "its answer was cut at 48 tokens" in done.stderr
    assert [entry["message"] for entry in json.loads(done.stdout)["unanswered"]] == ["its answer was cut at 48 tokens"]
    assert not list((tmp_path / "out").glob("*/report.*"))


def test_after_a_decoder_ended_the_command_the_same_command_drafts_the_study_without_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_studies(tmp_path / "in", 2) / "1.2.2", tmp_path / "out"
    (tmp_path / "sitecustomize.py").write_text(CRASH, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    command = (sys.executable, "-m", "amrg.cli", "report", str(source), "--out", str(out), "--force")
    crashed, done, again = (subprocess.run(command, check=False, capture_output=True, text=True) for _ in range(3))
    assert crashed.returncode == -signal.SIGSEGV
    for result in (done, again):
        assert result.returncode == Exit.INCOMPLETE, result.stderr
        assert "LMLO.dcm: its decoder ended the process that read it" in result.stderr
    draft = Draft.model_validate_json((out / "1.2.2" / "report.json").read_bytes())
    assert [f"{side}{view}" for side, view in draft.missing_views] == ["LMLO"]


def test_nothing_to_report_on_leaves_no_folder_behind(tmp_path: Path) -> None:
    source = write_exam(tmp_path / "in")
    change_all(source, put(SOPClassUID=BreastTomosynthesisImageStorage))
    assert run("report", source, "--out", tmp_path / "a" / "out").exit_code == Exit.NOTHING_TO_REPORT
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_interruption_before_the_first_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    exam(tmp_path / "in")
    monkeypatch.setattr("amrg.imaging.read_studies", interrupt)
    monkeypatch.setattr("amrg.imaging.scanning.scan_file", interrupt)
    for command in ("report", "inspect"):
        done = run(command, tmp_path / "in")
        assert done.exit_code == Exit.INTERRUPTED
        assert "interrupted" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["report.txt", "report.json", "report.png"])
def test_a_full_disk_is_one_line_and_leaves_the_earlier_draft(
    tmp_path: Path, use: Use, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    source, out = exam(tmp_path / "one", StudyInstanceUID=UID), tmp_path / "out"
    assert run("report", source, "--out", out).exit_code == Exit.OK
    before = files(out)
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name.startswith(name):
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        use(FixedEngine(("Left breast: mass in the upper outer quadrant. BI-RADS 4.",)))
        for folder in (out, tmp_path / "new"):
            done = run("report", source, "--out", folder)
            assert done.exit_code == Exit.UNWRITABLE
            (line,) = (line for line in done.stderr.splitlines() if line.startswith("amrg: "))
            assert f"{name}: cannot be written (No space left on device)" in line
            assert "MiB are free there" in line
    assert {path: content for path, content in files(out).items() if "written" not in path} == {
        path: content for path, content in before.items() if "written" not in path
    }
    assert files(tmp_path / "new") == {}
    assert run("report", source, "--out", out).exit_code == Exit.OK
    assert files(out) != before


def test_inspect_shows_dates_files_accessions_and_the_prior(tmp_path: Path) -> None:
    for name, date, accession, born in (
        ("old", "20210105", "ACC-1", "19500101"),
        ("new", "20240301", "ACC-2", "19500101"),
        ("other", "20200101", "", "19500101"),
        ("newest", "20250101", "", "19600101"),
    ):
        attributes = {"StudyInstanceUID": f"1.2.{date}", "AccessionNumber": accession, "PatientBirthDate": born}
        exam(tmp_path / "in" / name, StudyDate=date, **attributes)
    lines = run("inspect", tmp_path / "in").stdout.splitlines()
    headings = [line.split(", patient key")[0] for line in lines if " of 4: " in line]
    assert headings == [
        "study 1 of 4: 2020-01-01, no accession number",
        "study 2 of 4: 2021-01-05, accession ACC-1",
        "study 3 of 4: 2024-03-01, accession ACC-2",
        "study 4 of 4: 2025-01-01, no accession number",
    ]
    assert any("new/LMLO.dcm" in line and "600 x 480" in line for line in lines)
    (prior,) = (line for line in lines if line.startswith("study 3: prior: "))
    assert "study 2 of 2021-01-05, the same patient; not used in the draft" in prior
    (why,) = (line for line in lines if "is not used as prior" in line)
    assert why.startswith("study 4: The exam of 2024-03-01 is not used as prior: the same PatientID (0010,0020), but")


def test_a_patient_is_named_only_where_asked_for(tmp_path: Path, use: Use) -> None:
    source = exam(tmp_path / "in", PatientName="Doe^Jane", PatientID="MRN-77", PatientBirthDate="19500102")
    for place, asked in (("without", ()), ("with", ("--identify",))):
        done = run("report", source, "--out", tmp_path / place, *asked)
        assert done.exit_code == Exit.OK, done.output
        written = b"".join(c for name, c in files(tmp_path / place).items() if not name.endswith(".png"))
        for identifier in ("Doe", "Jane", "MRN-77", "1950-01-02"):
            assert (identifier in done.stdout, identifier.encode() in written) == (bool(asked), bool(asked))
    assert "Patient: Doe Jane, PatientID MRN-77, born 1950-01-02" in done.stdout
    assert "Doe" not in run("inspect", source).stdout


def test_a_mastectomy_that_is_stated_is_in_the_report_and_lacks_no_view(use: Use, tmp_path: Path) -> None:
    source = exam(tmp_path / "in")
    for name in ("RCC.dcm", "RMLO.dcm"):
        (source / name).unlink()
    done = run("report", source, "--out", tmp_path / "out", "--force", "--mastectomy", "right")
    assert done.exit_code == Exit.OK, done.output
    assert "Status post right mastectomy." in done.stdout
    assert "missing" not in done.stdout.lower()
    without = run("report", source, "--out", tmp_path / "out2", "--force")
    assert without.exit_code == Exit.INCOMPLETE
    assert "Status post" not in without.stdout


@pytest.mark.parametrize("more", [(), ("--timeout", 60)], ids=["here", "in a worker process"])
def test_a_mastectomy_that_the_views_contradict_is_refused(tmp_path: Path, more: tuple[object, ...]) -> None:
    source, out = exam(tmp_path / "in"), tmp_path / "out"
    (source / "LMLO.dcm").unlink()
    done = run("report", source, "--out", out, "--force", "--mastectomy", "left", *more)
    assert done.exit_code == Exit.USAGE
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("amrg: "))
    assert "--mastectomy left: the study has LCC (LCC.dcm) of a breast that was removed" in line
    assert "correct the option, or remove what is of another patient" in line
    assert not list(out.glob("*/report.*"))


def test_a_mastectomy_is_of_one_study_and_one_of_three_values(tmp_path: Path) -> None:
    source = exam(tmp_path / "in")
    done = run("report", source, "--mastectomy", "rigth")
    assert (done.exit_code, "expected right, left or both" in done.output) == (Exit.USAGE, True)
    shutil.copytree(source, tmp_path / "two" / "a")
    shutil.copytree(source, tmp_path / "two" / "b")
    change_all(tmp_path / "two" / "b", lambda ds: ds.update({"StudyInstanceUID": "1.2.3"}))
    done = run("report", tmp_path / "two", "--mastectomy", "left")
    assert (done.exit_code, "name one at a time" in done.output) == (Exit.USAGE, True)


def test_accession_numbers_that_differ_are_noted(tmp_path: Path) -> None:
    folder = exam(tmp_path / "in", AccessionNumber="ACC-1")
    (study,) = read_studies(folder).studies
    assert study.accession_number == "ACC-1"
    change_all(folder, lambda ds: ds.update({"AccessionNumber": f"ACC-{ds.ViewPosition}"}))
    (study,) = read_studies(folder).studies
    assert study.accession_number == ""
    assert "AccessionNumber (0008,0050) differs in the files of the study: ACC-CC, ACC-MLO" in study.notes
