"""A scored run as Parquet that `datasets` opens, as JSON lines, and to RadEval and back."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from amrg.birads import Report
from amrg.cli import Exit, app
from tests.docs.pages import ROOT

pytestmark = pytest.mark.usefixtures("no_page_charts")

TEXTS = {
    "a": "Breast Composition: fibro fatty (ACR B).\nBIRADS: 4\nFindings: Oval mass in the left breast, 12 mm.",
    "b": "Breast Composition: fibro fatty (ACR B).\nBIRADS: 1\nFindings: No abnormal soft opacity seen.",
    "c": "Breast Composition: fibro fatty (ACR C).\nBIRADS: 2\nFindings: Benign calcifications in the right breast.",
}
DRAFTS = {"a": TEXTS["a"], "b": TEXTS["c"], "c": None}


def amrg(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


def lines(path: Path, texts: dict[str, str | None]) -> Path:
    rows = [json.dumps({"id": key, "text": text, "group": f"patient {key}"}) for key, text in texts.items()]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    references = lines(folder / "site.jsonl", {**TEXTS})
    scored = amrg("score", lines(folder / "ours.jsonl", DRAFTS), "--references", references, "--out", folder / "scored")
    assert scored.exit_code == Exit.OK, scored.output
    return folder / "scored"


@pytest.fixture(scope="module")
def parquet(run: Path) -> Path:
    path = run.parent / "export" / "predictions.parquet"
    done = amrg("export", run, "--to", "parquet", "--out", path, "--json")
    assert json.loads(done.stdout) == {"out": str(path), "format": "parquet", "rows": 3}
    return path


def test_parquet_has_a_row_a_case_with_its_facts_and_scores(run: Path, parquet: Path) -> None:
    table = pq.read_table(parquet)
    a, b, c = table.to_pylist()
    assert (a["key"], a["group"], a["data_set"], a["system"]) == ("a", "patient a", "site", "ours")
    assert (a["source"], a["split"], a["error"]) == ("radiologist", None, None)
    assert (a["reference_text"], a["text"]) == (TEXTS["a"], TEXTS["a"])
    assert (a["reference_category"], b["category"], b["density"]) == ("4", "2", "C")
    assert a["findings"][0] == {
        **dict.fromkeys(("quadrant", "category", "clock", "probability")),
        **{"kind": "mass", "laterality": "L", "size_mm": 12},
    }
    assert Report.model_validate_json(a["report_json"]).findings[0].size_mm == 12
    assert (c["text"], c["findings"], c["report_json"], c["error"]) == (None, None, None, "no text")
    scores = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    assert [row["scores"] for row in (a, b, c)] == [case["values"] for case in scores["cases"]]
    about = json.loads(table.schema.metadata[b"amrg"])
    assert (about["system"], about["data"]["hash"]) == ("ours", scores["data"]["hash"])


def test_every_column_is_documented_and_in_the_metadata_that_datasets_reads(parquet: Path) -> None:
    schema = pq.read_schema(parquet)
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names
    assert features["views"] == [{"dtype": "string", "_type": "Value"}]
    assert features["findings"][0]["size_mm"] == {"dtype": "int32", "_type": "Value"}
    page = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
    assert [name for name in schema.names if f"`{name}`" not in page] == []


@pytest.mark.filterwarnings("ignore")  # the package's own
@pytest.mark.skipif(find_spec("datasets") is None, reason="Hugging Face's datasets is not installed")
def test_datasets_loads_it_with_its_types(parquet: Path, tmp_path: Path) -> None:
    datasets: Any = import_module("datasets")
    loaded = datasets.load_dataset("parquet", data_files=str(parquet), split="train", cache_dir=str(tmp_path))
    assert loaded.to_list() == pq.read_table(parquet).to_pylist()
    assert loaded.features["key"] == datasets.Value("string")
    assert loaded.features["findings"].feature["size_mm"] == datasets.Value("int32")
    assert loaded.filter(lambda row: row["category"] == "4")["key"] == ["a"]


def test_json_lines_have_the_same_rows_and_are_scored_again(run: Path, parquet: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert amrg("export", run, "--to", "jsonl", "--out", path).exit_code == Exit.OK
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows == pq.read_table(parquet).to_pylist()
    again = amrg("score", path, "--references", run, "--out", tmp_path / "again", "--json")
    first = json.loads((run / "scores.json").read_text(encoding="utf-8"))["systems"]["ours"]["metrics"]
    assert json.loads(again.stdout)["metrics"] == first


@pytest.fixture(scope="module")
def texts(run: Path) -> Path:
    path = run.parent / "texts.json"
    assert amrg("export", run, "--to", "radeval", "--out", path).exit_code == Exit.OK
    return path


def test_radeval_gets_the_texts_and_amrg_reads_them_back(run: Path, texts: Path, tmp_path: Path) -> None:
    document = json.loads(texts.read_text(encoding="utf-8"))
    assert document == {"keys": ["a", "b"], "refs": [TEXTS["a"], TEXTS["b"]], "hyps": [TEXTS["a"], TEXTS["c"]]}
    done = amrg("score", texts, "--references", texts, "--out", tmp_path / "both", "--json")
    assert (json.loads(done.stdout)["n"], json.loads(done.stdout)["failed"]) == (2, 0)
    unnamed = tmp_path / "unnamed.json"
    unnamed.write_text(json.dumps({k: v for k, v in document.items() if k != "keys"}), encoding="utf-8")
    assert amrg("score", unnamed, "--references", unnamed, "--out", tmp_path / "unnamed").exit_code == Exit.OK
    cases = (tmp_path / "unnamed" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(case)["key"] for case in cases] == ["0", "1"]


@pytest.mark.parametrize("keys", [True, False])
def test_values_of_radeval_become_metrics_with_intervals(run: Path, tmp_path: Path, keys: bool) -> None:
    values = {"radgraph_simple": [0.5, 1.0], "radcliq_v1": [2.0, None], **({"keys": ["b", "a"]} if keys else {})}
    (tmp_path / "values.json").write_text(json.dumps(values), encoding="utf-8")
    given = ("score", run / "predictions.jsonl", "--references", run, "--out", tmp_path / "run", "--json")
    done = amrg(*given, "--radeval-values", tmp_path / "values.json")
    metrics = json.loads(done.stdout)["metrics"]
    simple, distance = metrics["radeval_radgraph_simple"], metrics["radeval_radcliq_v1"]
    assert (simple["value"], simple["n"], simple["unscored"], simple["higher_is_better"]) == (0.75, 2, 1, True)
    assert (distance["value"], distance["n"], distance["higher_is_better"], distance["skill"]) == (2.0, 1, False, None)
    stored = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))["cases"]
    by_case = [case["values"]["radeval_radgraph_simple"] for case in stored]
    assert by_case == ([1.0, 0.5, None] if keys else [0.5, 1.0, None])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bleu": 0.3}, "bleu is '0.3'; expected a list with a number a report: RadEval(..., per_sample=True)"),
        ({"bleu": [0.3]}, "1 values of bleu for 2 reports; expected one a report"),
        ({"keys": ["z"], "bleu": [0.3]}, "'z' is the key of no case"),
        ({"keys": ["a"]}, "no values; expected what RadEval(..., per_sample=True) returns"),
        ([], "found list, expected an object"),
    ],
)
def test_other_values_are_refused(run: Path, tmp_path: Path, values: object, message: str) -> None:
    (tmp_path / "values.json").write_text(json.dumps(values), encoding="utf-8")
    given = ("score", run / "predictions.jsonl", "--references", run, "--out", tmp_path / "run")
    done = amrg(*given, "--radeval-values", tmp_path / "values.json")
    assert (done.exit_code, message in done.stderr) == (Exit.UNREADABLE, True), done.stderr


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"refs": ["x"]}, "refs: 1, hyps: no list; expected RadEval's lists `refs` and `hyps`"),
        ({"refs": ["x"], "hyps": ["x"], "keys": []}, "`keys` is no list of 1"),
        ({"refs": ["x", "y"], "hyps": ["x", "y"], "keys": ["1", "1"]}, "duplicate id '1'"),
    ],
)
def test_other_lists_are_refused(run: Path, tmp_path: Path, document: object, message: str) -> None:
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    done = amrg("score", path, "--references", path, "--out", tmp_path / "run")
    assert (done.exit_code, message in done.stderr) == (Exit.UNREADABLE, True), done.stderr


@pytest.mark.filterwarnings("ignore")  # the package's own
@pytest.mark.skipif(find_spec("radeval") is None, reason="RadEval is not installed: pip install 'amrg[radeval]'")
def test_radeval_itself_goes_there_and_back(
    run: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nltk.download", lambda *_, **__: True)  # it asks the network when it is imported
    radeval: Any = import_module("radeval")
    document = json.loads(texts.read_text(encoding="utf-8"))
    evaluate = radeval.RadEval(metrics=["bleu"], per_sample=True, show_progress=False)
    values = {"keys": document["keys"], **evaluate(refs=document["refs"], hyps=document["hyps"])}
    (tmp_path / "values.json").write_text(json.dumps(values), encoding="utf-8")
    given = ("score", run / "predictions.jsonl", "--references", run, "--out", tmp_path / "run", "--json")
    done = amrg(*given, "--radeval-values", tmp_path / "values.json")
    assert json.loads(done.stdout)["metrics"]["radeval_bleu"]["n"] == 2


def test_an_unknown_form_and_a_folder_without_scores_are_refused(run: Path, tmp_path: Path) -> None:
    assert (
        "--to is 'xlsx'; expected one of parquet, jsonl, radeval"
        in amrg("export", run, "--to", "xlsx", "--out", tmp_path / "x").stderr
    )
    none = amrg("export", tmp_path, "--to", "jsonl", "--out", tmp_path / "x")
    assert (none.exit_code, "no scores.json in the run folder" in none.stderr) == (Exit.UNREADABLE, True)
