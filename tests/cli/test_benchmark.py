"""`amrg benchmark` as a user types it: anyone's predictions scored, compared, in tables; a mistake is one line."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amrg.cli import Exit, app
from amrg.metrics.scores import Scores

pytestmark = pytest.mark.usefixtures("no_page_charts")

REPORTS = [
    f"Breast Composition: fibro fatty breast parenchyma (ACR {density}).\nBIRADS: {category}\nFindings: {words} {i}."
    for i, (density, category, words) in enumerate(
        [
            ("A", "1", "No abnormal soft opacity or microcalcification seen."),
            ("C", "4c", "Irregular spiculated soft opacity seen in the upper outer quadrant of the left breast."),
            ("B", "3", "Oval well-defined soft opacity seen in the right breast."),
        ]
        * 4
    )
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References, predictions of two systems in two forms, and both scored."""
    folder = tmp_path_factory.mktemp("files")
    rows = [{"id": f"c{i}", "text": text, "group": f"p{i // 2}"} for i, text in enumerate(REPORTS)]
    (folder / "references.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    for name, step in (("ours", 0), ("theirs", 1)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(["id", "text"])
            lines.writerows([f"c{i}", REPORTS[(i + step) % 12]] for i in range(11))  # the last case is missing
        done = run("score", folder / f"{name}.csv", "--references", folder / "references.jsonl", "--out", folder / name)
        assert done.exit_code == Exit.OK, done.output
    return folder


def test_score_fills_a_run_folder_and_says_what_must_be_known(files: Path, tmp_path: Path) -> None:
    given = ("score", files / "ours.csv", "--references", files / "references.jsonl")
    done = run(*given, "--out", tmp_path, "--name", "Ours 1", "--json")
    assert done.exit_code == Exit.OK, done.output
    printed = json.loads(done.stdout)
    scores = Scores.model_validate_json((tmp_path / "scores.json").read_bytes())
    assert printed["system"] == scores.system == "Ours 1"
    assert (printed["n"], printed["failed"]) == (12, 1)
    assert printed["metrics"]["rouge_l_f1_stemmed"]["value"] == 1.0
    assert printed["warnings"] == list(scores.warnings)
    assert "amrg: note: 1 of 12 cases have no prediction and count as failed: c11\n" in done.stderr
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert {"manifest.json", "predictions.jsonl", "scores.json", "report.html", "baselines/constant.jsonl"} <= found
    assert "Ours 1" in (tmp_path / "report.html").read_text(encoding="utf-8")


def scored(folder: Path, references: list[str], drafts: list[str | None]) -> Result:
    """The command on files of these texts, the cases named c0, c1, and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, texts in (("references", references), ("drafts", drafts)):
        rows = [{"id": f"c{i}", "text": text} for i, text in enumerate(texts) if text is not None]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return run("score", folder / "drafts.jsonl", "--references", folder / "references.jsonl", "--out", folder / "run")


def printed_values(done: Result) -> list[tuple[str, str]]:
    """Metric and value of each row of the printed table, in its order."""
    rows = (line.split("│") for line in done.stdout.splitlines() if line.count("│") == 6)
    return [(row[1].strip(), row[2].strip()) for row in rows if row[1].strip()]


def test_b1_the_figure_over_every_case_leads_wherever_the_other_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four cases, the category and density written in one of them, and right there."""
    monkeypatch.setenv("COLUMNS", "120")
    references = [f"ACR {d}. BIRADS: {c}. No mass is seen in case {c}." for d, c in zip("abcd", "1235", strict=True)]
    silent = [f"No mass is seen in case {i}." for i in range(3)]
    done = scored(tmp_path, references, [references[0], *silent])
    assert done.exit_code == Exit.OK, done.output
    rows = printed_values(done)
    for name in ("birads_accuracy_7_worst", "density_accuracy"):
        at = rows.index((f"{name}_strict", "0.250"))
        assert rows[at + 1] == (name, "1.000")
    metrics = Scores.model_validate_json((tmp_path / "run" / "scores.json").read_bytes()).systems["drafts"].metrics
    strict, lenient = metrics["birads_accuracy_7_worst_strict"], metrics["birads_accuracy_7_worst"]
    assert (strict.value, strict.n, lenient.value, lenient.n) == (0.25, 4, 1.0, 1)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8").replace("<wbr>", "")
    assert 0 < page.index("birads_accuracy_7_worst_strict") < page.index(">birads_accuracy_7_worst<")
    table = run("table", tmp_path / "run", "--no-baselines").stdout.splitlines()[0]
    assert "| birads_accuracy_7_worst_strict | birads_accuracy_7_worst |" in table
    whole = scored(tmp_path / "whole", references, list(references))
    assert not any(name.endswith("_strict") for name, _ in printed_values(whole))  # both say the same


def test_texts_that_were_not_read_are_counted_by_reason_with_their_cases(tmp_path: Path) -> None:
    german = "Mammographie beidseits: Kein Herdbefund, keine suspekten Verkalkungen. Beurteilung: BIRADS 1, ACR b."
    references = [f"ACR b. BIRADS: 1. No mass is seen in case {i}." for i in range(4)]
    done = scored(tmp_path, [*references[:3], german], [german, german, references[2], references[3]])
    assert done.exit_code == Exit.OK, done.output
    assert "amrg: note: 2 predictions of 4 not read (not English (German): not read): c0, c1; they count" in done.stderr
    assert "amrg: note: 1 reference of 4 not read (not English (German): not read): c3" in done.stderr
    scores = Scores.model_validate_json((tmp_path / "run" / "scores.json").read_bytes())
    assert [(u.what, u.count, u.of, u.examples) for u in scores.unread] == [
        ("prediction", 2, 4, ("c0", "c1")),
        ("reference", 1, 4, ("c3",)),
    ]
    metrics = scores.systems["drafts"].metrics
    assert (metrics["birads_accuracy_7_worst_strict"].value, metrics["birads_accuracy_7_worst_strict"].n) == (1 / 3, 3)
    assert metrics["hallucinated_findings_a_report"].n == 1  # a text that was not read states no absence of findings
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "2 of 4: not English (German): not read (c0, c1)" in page


def test_a_run_folder_is_scored_again_to_the_same_scores(files: Path) -> None:
    before = (files / "theirs" / "scores.json").read_bytes()
    done = run("score", files / "theirs", "--references", files / "theirs", "--out", files / "theirs")
    assert done.exit_code == Exit.OK, done.output
    again = Scores.model_validate_json((files / "theirs" / "scores.json").read_bytes())
    assert again.systems == Scores.model_validate_json(before).systems


def test_compare_prints_differences_with_corrected_p(files: Path) -> None:
    done = run("compare", files / "theirs", files / "ours", "--json")
    assert done.exit_code == Exit.OK, done.output
    rouge = next(c for c in json.loads(done.stdout) if c["metric"] == "rouge_l_f1_stemmed")
    assert (rouge["first"], rouge["second"], rouge["n"], rouge["second_value"]) == ("theirs", "ours", 11, 1.0)
    assert rouge["value"] > 0
    assert rouge["p"] <= rouge["p_holm"] <= 1
    printed = run("compare", files / "theirs", files / "ours", "--metric", "density_accuracy")
    assert "density_accuracy" in printed.stdout
    assert "Holm's correction over 2 tests" in printed.stdout  # one prediction is missing
    assert "_strict: every case counts" in printed.stdout


def test_table_in_markdown_and_latex(files: Path) -> None:
    done = run("table", files / "ours", files / "theirs", "--metric", "density_accuracy")
    assert done.exit_code == Exit.OK, done.output
    assert done.stdout.startswith("| system | n | density_accuracy_strict | density_accuracy |\n")
    assert re.search(
        r"\n\| ours \| 11 of 12 \| 0\.917 \[0\.\d+, 1\.000\] \| 1\.000 \[0\.\d+, 1\.000\] \|\n", done.stdout
    )
    latex = run(
        "table", files / "ours", "--metric", "density_accuracy", "--format", "latex", "--skill", "--no-baselines"
    )
    assert r"system & n & density\_accuracy\_strict & density\_accuracy \\" in latex.stdout
    assert r"ours & 11 of 12 & 0." in latex.stdout
    assert "constant" not in latex.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("score", "{none}", "--references", "{references}", "--out", "{new}"), Exit.UNREADABLE, "no such file"),
        (
            ("score", "{other}", "--references", "{references}", "--out", "{new}"),
            Exit.UNREADABLE,
            "found for example 'z'",
        ),
        (
            ("score", "{ours}", "--references", "{references}", "--out", "{new}", "--split", "x"),
            Exit.UNREADABLE,
            "--split",
        ),
        (("score", "{ours}", "--references", "{references}", "--out", "{ours}"), Exit.UNWRITABLE, "cannot be written"),
        (
            ("score", "{ours}", "--references", "{references}", "--out", "{new}", "--name", "prior"),
            Exit.UNREADABLE,
            "like a baseline",
        ),
        (
            ("score", "{ours}", "--references", "{references}", "--out", "{new}", "--radeval", "x"),
            Exit.UNREADABLE,
            "'x'",
        ),
        (("compare", "{run}"), Exit.UNREADABLE, "expected two or more"),
        (("compare", "{run}", "{new}"), Exit.UNREADABLE, "scores.json"),
        (("table", "{run}", "--format", "word"), Exit.USAGE, "--format is 'word'"),
        (("table", "{run}", "--metric", "rouge"), Exit.UNREADABLE, "did you mean rouge_"),
    ],
)
def test_a_user_error_is_one_line_and_a_code(
    arguments: tuple[str, ...], code: Exit, message: str, files: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "z", "text": "BIRADS 1."}\n', encoding="utf-8")
    places = {
        "none": tmp_path / "none.jsonl",
        "other": other,
        "references": files / "references.jsonl",
        "ours": files / "ours.csv",
        "run": files / "ours",
        "new": tmp_path / "new",
    }
    done = run(*(a.format(**places) for a in arguments))
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert sum(line.startswith("amrg: ") for line in done.stderr.splitlines()) == 1


def test_without_java_the_jar_is_refused_with_what_to_install(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    given = ("score", files / "ours.csv", "--references", files / "references.jsonl")
    done = run(*given, "--out", tmp_path / "a", "--meteor-jar")
    assert done.exit_code == Exit.UNREADABLE
    assert "apt-get install default-jre-headless" in done.stderr
