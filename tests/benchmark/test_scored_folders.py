"""A run folder scored again, elsewhere, with others' predictions or after it was edited: nothing is mixed up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import amrg
from amrg.benchmark.layout import MANIFEST, SCORES, TRAINED_ON
from amrg.cli import Exit, app
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import Scores

pytestmark = pytest.mark.usefixtures("no_page_charts")

ACCURACY = "birads_accuracy_7_worst"


def text(number: int, category: int | None = None) -> str:
    side = ("left", "right")[number % 2]
    stated = category or 1 + number % 5
    return f"ACR {'abcd'[number % 4]}. Mass in the {side} breast. BI-RADS {stated}. Note {number}."


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(count: int = 8, category: int | None = None) -> list[dict[str, object]]:
    """Two cases a patient, numbered from 0."""
    return [{"id": f"c{i:02d}", "text": text(i, category), "group": i // 2} for i in range(count)]


def benchmark(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["benchmark", *(str(a) for a in arguments)])


def scores(folder: Path) -> Scores:
    return Scores.model_validate_json((folder / SCORES).read_bytes())


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("references") / "refs.jsonl", rows())


@pytest.fixture(scope="module")
def leaking(references: Path) -> Path:
    """A run of a system that is known to have been trained on the references, with drafts on blanked images."""
    run = references.parent / "leaking"
    write(references.parent / "mine.jsonl", rows(category=2))
    options = ("--references", references, "--out", run, "--trained-on", "refs")
    assert benchmark("score", references.parent / "mine.jsonl", *options).exit_code == Exit.LEAK
    (run / "perturbed").mkdir()
    write(run / "perturbed" / "blanked.jsonl", [{"key": f"c{i:02d}", "text": "BI-RADS 1."} for i in range(8)])
    return run


@pytest.fixture
def run(leaking: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(leaking, tmp_path / "qwen2.5-vl"))


def test_scored_elsewhere_a_run_brings_its_name_its_training_and_its_perturbed_drafts(
    run: Path, references: Path, tmp_path: Path
) -> None:
    done = benchmark("score", run, "--references", references, "--out", tmp_path / "again")
    assert done.exit_code == Exit.LEAK
    assert "the model was trained on refs" in done.stderr
    found = scores(tmp_path / "again")
    assert (found.system, set(found.perturbed)) == ("mine", {"blanked"})


def test_a_folder_used_for_another_system_knows_nothing_of_the_one_before(
    run: Path, references: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "other.jsonl", rows(category=3))
    assert benchmark("score", other, "--references", references, "--out", run).exit_code == Exit.OK
    found = scores(run)
    assert (found.system, found.trained_on, found.perturbed) == ("other", None, {})
    assert not (run / TRAINED_ON).exists()


def test_scored_again_in_place_it_keeps_its_name_and_the_manifest_follows(run: Path) -> None:
    before = json.loads((run / MANIFEST).read_text())
    assert benchmark("score", run, "--references", run, "--out", run, "--seed", 3).exit_code == Exit.LEAK
    assert scores(run).system == "mine"
    after = json.loads((run / MANIFEST).read_text())
    assert {k for k in after if after[k] != before[k]} == {"seed"}


def test_scores_of_an_earlier_layout_are_scored_again(run: Path) -> None:
    """As the message on them says; what they state of the data and the training is still there."""
    stored = json.loads((run / SCORES).read_text(encoding="utf-8"))
    del stored["predictions_hash"]
    stored |= {"schema_version": 3, "data": stored["data"] | {"split": "clean", "leaks": ["the split leaks"]}}
    (run / SCORES).write_text(json.dumps(stored), encoding="utf-8")
    assert "expected 4; score the run again" in benchmark("table", run).stderr
    done = benchmark("score", run, "--references", run, "--out", run)
    assert done.exit_code == Exit.LEAK, done.output
    found = scores(run)
    assert (found.data.split, found.data.leaks, found.trained_on is None) == ("clean", ("the split leaks",), False)


def test_without_its_scores_a_run_is_compared_with_its_training_again(run: Path) -> None:
    (run / SCORES).unlink()
    name = json.loads((run / TRAINED_ON).read_text(encoding="utf-8"))["sets"][0]["name"]
    renamed = run.rename(run.parent / name)
    done = benchmark("score", renamed, "--references", renamed, "--out", renamed)
    assert (done.exit_code, scores(renamed).trained_on is None) == (Exit.LEAK, False)


def test_references_that_have_changed_since_are_refused(run: Path, tmp_path: Path) -> None:
    """`perfect` would not be perfect any more, and every skill too high."""
    corrected = write(tmp_path / "corrected.jsonl", [*rows()[:-1], {**rows()[-1], "text": "ACR d. BI-RADS 5."}])
    before = (run / SCORES).read_bytes()
    done = benchmark("score", run, "--references", corrected, "--out", run)
    assert done.exit_code == Exit.UNREADABLE
    assert "perfect.jsonl: c07 is not as in the references" in done.stderr
    assert (run / SCORES).read_bytes() == before


def test_a_folder_is_named_whole(references: Path, tmp_path: Path) -> None:
    folder = tmp_path / "qwen2.5-vl"
    folder.mkdir()
    for row in rows():
        (folder / f"{row['id']}.txt").write_text(str(row["text"]), encoding="utf-8")
    assert benchmark("score", folder, "--references", references, "--out", tmp_path / "run").exit_code == Exit.OK
    assert scores(tmp_path / "run").system == "qwen2.5-vl"


def test_baselines_that_lack_a_case_are_refused(run: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more.jsonl", rows(12))
    before = (run / SCORES).read_bytes()
    done = benchmark("score", run, "--references", more, "--out", run)
    assert done.exit_code == Exit.UNREADABLE
    assert "constant.jsonl: no prediction of c08, c09, c10, c11, which are among the references" in done.stderr
    assert (run / SCORES).read_bytes() == before


def test_what_was_edited_since_is_neither_compared_nor_exported(run: Path, leaking: Path, tmp_path: Path) -> None:
    lines = (run / "predictions.jsonl").read_text(encoding="utf-8").replace("BI-RADS 2", "BI-RADS 5", 1)
    (run / "predictions.jsonl").write_text(lines, encoding="utf-8")
    for done in (
        benchmark("compare", leaking, run),
        benchmark("export", run, "--to", "jsonl", "--out", tmp_path / "x.jsonl"),
    ):
        assert done.exit_code == Exit.UNREADABLE
        assert "its predictions are not those of its scores; score the run again" in done.stderr


@pytest.mark.parametrize("file", ["predictions.jsonl", "baselines/constant.jsonl"])
def test_an_export_never_replaces_a_file_of_the_run(run: Path, file: str) -> None:
    before = (run / file).read_bytes()
    done = benchmark("export", run, "--to", "jsonl", "--out", run / file)
    assert (done.exit_code, (run / file).read_bytes()) == (Exit.USAGE, before)


def test_some_of_a_run_s_cases_can_be_scored_elsewhere(run: Path, tmp_path: Path) -> None:
    some = write(tmp_path / "some.jsonl", rows(6))
    done = benchmark("score", run, "--references", some, "--out", tmp_path / "part")
    assert done.exit_code == Exit.OK, done.output
    assert [scores(tmp_path / "part").data.n, scores(tmp_path / "part").perturbed["blanked"].n] == [6, 6]


def test_cases_that_radeval_does_not_get_are_counted(references: Path, tmp_path: Path) -> None:
    some = write(
        tmp_path / "some.jsonl", [{**row, "text": "" if row["id"] == "c00" else row["text"]} for row in rows()]
    )
    assert benchmark("score", some, "--references", references, "--out", tmp_path / "run").exit_code == Exit.OK
    done = benchmark("export", tmp_path / "run", "--to", "radeval", "--out", tmp_path / "lists.json")
    assert "7 cases in" in done.stderr + done.stdout
    assert "1 of 8 cases are not in it" in done.stderr


def test_runs_scored_by_their_rendered_texts_are_compared_by_them(tmp_path: Path) -> None:
    labelled = write(tmp_path / "refs.jsonl", [row | {"source": "rendered from labels"} for row in rows()])
    runs = [tmp_path / "one", tmp_path / "two"]
    for category, folder in zip((2, 5), runs, strict=True):
        mine = write(tmp_path / f"{category}.jsonl", rows(category=category))
        options = ("--references", labelled, "--out", folder, "--score-label-texts")
        assert benchmark("score", mine, *options).exit_code == Exit.OK
    done = benchmark("compare", *runs, "--metric", "rouge_l_f1_stemmed", "--json")
    (found,) = json.loads(done.stdout)
    assert (found["n"], found["first_value"] is None) == (8, False)


def test_options_of_the_scoring_before_are_named_where_they_are_not_given_again(run: Path) -> None:
    stored = json.loads((run / SCORES).read_text(encoding="utf-8"))
    stored["scored_with"] |= {"seed": 7, "label_texts": True, "radeval_values": "values.json"}
    (run / SCORES).write_text(json.dumps(stored), encoding="utf-8")
    again = ("score", run, "--references", run, "--out", run)
    line = "it was scored with --seed 7, --radeval-values values.json before; give them again for the same numbers"
    assert line in benchmark(*again, "--score-label-texts").stderr
    assert "give them again" not in benchmark(*again, "--score-label-texts").stderr


def test_few_groups_are_said_wherever_runs_are_compared(run: Path, leaking: Path) -> None:
    done = benchmark("compare", leaking, run, "--metric", ACCURACY, "--json")
    assert "fewer than 20 groups of cases" in done.stderr
    assert [c["groups"] for c in json.loads(done.stdout)] == [4]
    same = benchmark("compare", leaking, run.parent / "x" / ".." / run.name, run)
    assert (same.exit_code, "the same run is given twice" in same.stderr) == (Exit.UNREADABLE, True)
    table = benchmark("table", leaking, run)
    assert f"| {run} |" in table.stdout


@pytest.mark.parametrize(
    ("file", "content"),
    [(SCORES, b"\xff\xfe\0"), ("baselines/about.json", b"{"), ("baselines/about.json", b"[1]"), (MANIFEST, b"{")],
)
def test_a_damaged_file_is_one_line(run: Path, file: str, content: bytes) -> None:
    (run / file).write_bytes(content)
    again = ("score", run, "--references", run, "--out", run)
    for command in (again, ("table", run)) if file == SCORES else (again,):
        done = benchmark(*command)
        assert done.exit_code == Exit.UNREADABLE
        assert Path(file).name in done.stderr
        assert sum(line.startswith("amrg: ") for line in done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--trained-on", "MamoVQA"), Exit.OK, "did you mean mammovqa?"),
        (("--trained-on", " "), Exit.USAGE, "--trained-on is empty"),
        (("--part", "validation"), Exit.USAGE, "--part validation is of a split"),
        (("--radeval-values", "missing.json"), Exit.UNREADABLE, "missing.json: cannot be read (No such file"),
    ],
)
def test_options_that_say_nothing_are_noticed(
    references: Path, tmp_path: Path, options: tuple[str, ...], code: Exit, message: str
) -> None:
    done = benchmark("score", references, "--references", references, "--out", tmp_path / "run", *options)
    assert done.exit_code == code, done.output
    assert message in done.stderr


def test_patients_are_numbered_from_any_number(references: Path) -> None:
    found = amrg.score({row["id"]: row["text"] for row in rows()}, references)  # type: ignore[misc]
    assert found.data.groups == 4
    assert not any("name no `group`" in warning for warning in found.warnings)


def test_sensitivity_is_of_the_positive_cases(references: Path) -> None:
    metrics = amrg.score(references, references).systems["system"].metrics
    positive, negative = (metrics[f"workup_{name}_0_4_5_6"] for name in ("sensitivity", "specificity"))
    assert (positive.n, positive.unscored, positive.groups) == (2, 6, 2)
    assert (negative.n, negative.groups) == (6, 4)


TEXTS = {str(row["id"]): str(row["text"]) for row in rows()}
PREDICTIONS = [Prediction(key=key, text=written) for key, written in TEXTS.items()]


class Series:
    """What a pandas Series offers, with a key that may be there twice."""

    def __init__(self, *pairs: tuple[str, object]) -> None:
        self._pairs = pairs

    def items(self) -> Sequence[tuple[str, object]]:
        return self._pairs


def test_predictions_in_memory_are_looked_at_as_those_of_a_file(references: Path) -> None:
    empty = [PREDICTIONS[0].model_copy(update={"text": ""}), *PREDICTIONS[1:]]
    given: list[Any] = [empty, {**TEXTS, "c00": ""}, Series(("c00", float("nan")), *list(TEXTS.items())[1:])]
    made = [amrg.score(predictions, references) for predictions in given]
    assert [one.systems["system"].failed for one in made] == [1, 1, 1]
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("predictions", "seed", "message"),
    [
        ([*PREDICTIONS, PREDICTIONS[0]], 0, "duplicate key 'c00'"),
        (Series(*TEXTS.items(), ("c00", "again")), 0, "the key 'c00' is there more than once"),
        ([], 0, "found none"),
        (TEXTS, -1, "seed: found -1"),
        (TEXTS, "a", "seed: found 'a'"),
    ],
)
def test_what_cannot_be_scored_in_memory_is_refused(
    references: Path, predictions: Any, seed: Any, message: str
) -> None:
    with pytest.raises(BenchmarkError, match=message):
        amrg.score(predictions, references, seed=seed)


def test_a_metric_of_few_patients_never_supports_the_verdict(tmp_path: Path) -> None:
    """Density is stated of four patients only, and right; categories of many more, by chance."""
    stated = [
        {"id": f"d{i}", "group": f"P{i // 6}", "text": f"ACR {'abab'[i // 6]}. BI-RADS 2. {i}"} for i in range(24)
    ]
    silent = [{"id": f"e{i}", "group": f"Q{i}", "text": f"No mass. BI-RADS {1 + i % 5}. {i}"} for i in range(40)]
    drafts = [{**row, "text": f"ACR b. BI-RADS {1 + i % 4}. {i}"} for i, row in enumerate(silent)]
    references = write(tmp_path / "refs.jsonl", [*stated, *silent])
    predictions = write(tmp_path / "mine.jsonl", [*stated, *drafts])
    options = ("--references", references, "--out", tmp_path / "run", "--seed", 1)  # a blind baseline states it too
    assert benchmark("score", predictions, *options).exit_code == Exit.OK
    density = scores(tmp_path / "run").systems["mine"].metrics["density_accuracy"]
    assert (density.value, density.n, density.groups) == (1.0, 24, 4)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "cases show nothing, whatever the interval: 1 of 7 main metrics (density_accuracy)" in page


def test_a_text_too_long_for_a_csv_field_counts_as_failed(references: Path, tmp_path: Path) -> None:
    table = tmp_path / "long.csv"
    table.write_text("id,text\n" + "".join(f'{k},"{t}"\n' for k, t in TEXTS.items()).replace("Note 0", "x" * 140_000))
    found = amrg.score(table, references)
    assert found.systems["system"].failed == 1
    assert any("over 100,000 characters" in warning for warning in found.warnings)
