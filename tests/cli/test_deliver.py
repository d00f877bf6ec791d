"""`amrg deliver`: reports of a drawn study for other systems; one line for every mistake, and then no file."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from typer.testing import CliRunner, Result

from amrg.birads import Draft, ReportVersion, Status
from amrg.cli import Exit, app
from amrg.delivery.formats import FORMATS
from amrg.imaging import read_studies
from tests.delivery.exams import drafted_of, version_of
from tests.imaging.changed import change_all, copied, put, write_exam


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_exam(tmp_path_factory.mktemp("deliver") / "1.2.3", "1.2.3")
    return change_all(folder, put(PatientID="1001", AccessionNumber="A-77", PatientName="Doe^Jane"))


def a_draft_of(exam: Path) -> Draft:
    """The drawn report, of the images that are in the folder."""
    (study,) = read_studies(exam).studies
    return drafted_of(study)


@pytest.fixture
def report(exam: Path, tmp_path: Path) -> Path:
    file = tmp_path / "report.json"
    file.write_text(a_draft_of(exam).model_dump_json(), encoding="utf-8")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["deliver", *(str(a) for a in arguments)])


def refused(result: Result, out: Path, code: Exit, *words: str) -> None:
    """One line, the exit code, and nothing written."""
    assert result.exit_code == code, result.output
    line = result.stderr.strip().splitlines()[-1]
    assert all(word in line for word in words), line
    assert "Traceback" not in result.output
    assert not out.exists()


def test_a_draft_in_every_format_says_that_nobody_signed_it(report: Path, exam: Path, tmp_path: Path) -> None:
    result = run(report, "--study", exam, "--to", ",".join(FORMATS), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "nobody signed" in result.stderr
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert written.keys() == {form.file for form in FORMATS.values()}
    for name in ("report-sr.dcm", "report-measurements.dcm"):
        ds = pydicom.dcmread(io.BytesIO(written[name]))
        assert (ds.VerificationFlag, ds.PatientID, ds.AccessionNumber) == ("UNVERIFIED", "1001", "A-77")
    Bundle.model_validate_json(written["report-fhir.json"])
    resources = [entry["resource"] for entry in json.loads(written["report-fhir.json"])["entry"]]
    assert [r["status"] for r in resources if r["resourceType"] == "DiagnosticReport"] == ["preliminary"]
    assert b"|P\r" in written["report.hl7"].replace(b"|P|", b"|P\r")
    for content in written.values():
        assert b"amrg-embedded" in content


def test_a_second_draft_has_a_number_and_an_order_an_accession_number(report: Path, exam: Path, tmp_path: Path) -> None:
    copy = change_all(copied(exam, tmp_path / "film"), put(AccessionNumber=""))
    out = tmp_path / "out"
    done = run(report, "--study", copy, "--to", "fhir,hl7", "--accession", "B-8", "--number", 2, "--out", out)
    assert done.exit_code == 0, done.output
    (order,) = [line.split("|") for line in (out / "report.hl7").read_text().splitlines() if line.startswith("OBR")]
    assert order[18] == "B-8"
    assert '"B-8"' in (out / "report-fhir.json").read_text()
    new = tmp_path / "new"
    refused(run(report, "--study", exam, "--to", "hl7", "--accession", "B-8", "--out", new), new, Exit.NOT_DELIVERED)
    refused(run(report, "--study", copy, "--to", "sr", "--accession", "B-8", "--out", new), new, Exit.USAGE)
    (signed := tmp_path / "v.json").write_text(version_of(a_draft_of(exam), Status.FINAL).model_dump_json())
    refused(run(signed, "--study", exam, "--to", "sr", "--number", 3, "--out", new), new, Exit.USAGE, "stays that")


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_without_the_images_of_the_report_is_refused_by_every_format(
    name: str, report: Path, exam: Path, tmp_path: Path
) -> None:
    other = copied(exam, tmp_path / "other")
    change_all(other, lambda ds: ds.update({"SOPInstanceUID": f"1.9.{ds.SOPInstanceUID[-20:]}"}))
    out = tmp_path / "out"
    result = run(report, "--study", other, "--to", name, "--out", out)
    refused(result, out, Exit.NOT_DELIVERED, "the report is about image", "not in study", "name the folder")


def test_the_same_report_gives_the_same_bytes(report: Path, exam: Path, tmp_path: Path) -> None:
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        assert run(report, "--study", exam, "--to", ",".join(FORMATS), "--out", out).exit_code == 0
    first, second = ({path.name: path.read_bytes() for path in out.iterdir()} for out in outs)
    assert first == second


def test_a_signed_version_is_final_and_a_zip_is_a_study(exam: Path, tmp_path: Path) -> None:
    version = version_of(a_draft_of(exam), Status.FINAL)
    (file := tmp_path / "version.json").write_text(version.model_dump_json(), encoding="utf-8")
    packed = shutil.make_archive(str(tmp_path / "exam"), "zip", exam)
    result = run(file, "--study", packed, "--to", "fhir", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert "nobody signed" not in result.stderr
    assert json.loads(result.stdout)["files"] == ["report-fhir.json"]
    assert b'"status": "final"' in (tmp_path / "out" / "report-fhir.json").read_bytes()


def test_what_the_service_prints_of_a_study_is_its_newest_version(exam: Path, tmp_path: Path) -> None:
    version = version_of(a_draft_of(exam), Status.FINAL).model_dump(mode="json")
    printed = tmp_path / "signed.json"
    printed.write_text(json.dumps({"study_instance_uid": "1.2.3", "version": 2, "report": version}), encoding="utf-8")
    result = run(printed, "--study", exam, "--to", "sr", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert pydicom.dcmread(tmp_path / "out" / "report-sr.dcm").VerificationFlag == "VERIFIED"


def test_the_words_that_the_law_fixes(report: Path, exam: Path, tmp_path: Path) -> None:
    assert run(report, "--study", exam, "--to", "hl7", "--out", tmp_path, "--facility", "us").exit_code == 0
    message = (tmp_path / "report.hl7").read_text(encoding="utf-8")
    assert "Highly Suggestive of Malignancy" in message
    assert "There are scattered areas of fibroglandular density." in message


def test_what_was_signed_is_not_worded_again(exam: Path, tmp_path: Path) -> None:
    version = version_of(a_draft_of(exam), Status.FINAL)
    (file := tmp_path / "version.json").write_text(version.model_dump_json(), encoding="utf-8")
    result = run(file, "--study", exam, "--to", "hl7", "--out", tmp_path / "out", "--facility", "us")
    refused(result, tmp_path / "out", Exit.NOT_DELIVERED, "signed", "--facility us")


def test_a_profile_is_the_receivers_way(report: Path, exam: Path, tmp_path: Path) -> None:
    profile = tmp_path / "site.toml"
    profile.write_text('[hl7]\nreceiving_application = "RIS"\nline_breaks = "segments"\ncharacter_set = "8859/1"\n')
    assert run(report, "--study", exam, "--to", "hl7", "--out", tmp_path, "--profile", profile).exit_code == 0
    message = (tmp_path / "report.hl7").read_bytes().decode("latin-1")
    assert message.split("|")[4] == "RIS"
    assert message.count("\rOBX|") > 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", ("no JSON",)),
        ("[]", ("no report",)),
        ('{"draft": 1}', ("no report",)),
        ('{"banner": []}', ("no report", "banner")),
        (None, ("cannot be read",)),
    ],
)
def test_what_is_no_report_is_named(text: str | None, words: tuple[str, ...], exam: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    refused(run(file, "--study", exam, "--to", "hl7", "--out", out), out, Exit.UNREADABLE, *words, "report.json")


def test_a_draft_that_calls_itself_final_is_refused(report: Path, exam: Path, tmp_path: Path) -> None:
    document = json.loads(report.read_text())
    document["report"]["status"] = "final"
    report.write_text(json.dumps(document))
    result = run(report, "--study", exam, "--to", "hl7", "--out", tmp_path / "out")
    refused(result, tmp_path / "out", Exit.UNREADABLE, "status is final", "nobody")


def test_options_that_are_wrong(report: Path, exam: Path, tmp_path: Path) -> None:
    out, profile = tmp_path / "out", tmp_path / "site.toml"
    refused(run(report, "--study", exam, "--to", "fax", "--out", out), out, Exit.USAGE, "'fax'", "sr,")
    refused(run(report, "--study", exam, "--to", "sr", "--facility", "mars", "--out", out), out, Exit.USAGE, "us")
    profile.write_text("[hl7]\nreciever = 1\n")
    refused(
        run(report, "--study", exam, "--to", "hl7", "--profile", profile, "--out", out),
        out,
        Exit.NOT_DELIVERED,
        "hl7.reciever",
    )


def test_another_study_than_the_reports_is_refused(report: Path, tmp_path: Path) -> None:
    other = write_exam(tmp_path / "other", "1.2.9")
    result = run(report, "--study", other, "--to", "sr", "--out", tmp_path / "out")
    refused(result, tmp_path / "out", Exit.UNREADABLE, "not there")


def test_nothing_is_written_where_one_format_cannot_be(exam: Path, tmp_path: Path) -> None:
    version = version_of(a_draft_of(exam), Status.FINAL, text="≥ 5 mm\x07")
    (file := tmp_path / "v.json").write_text(version.model_dump_json(), encoding="utf-8")
    assert isinstance(version, ReportVersion)
    result = run(file, "--study", exam, "--to", "hl7,fhir", "--out", tmp_path / "out")
    refused(result, tmp_path / "out", Exit.NOT_DELIVERED, "U+0007")
