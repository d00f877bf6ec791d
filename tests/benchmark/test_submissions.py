"""Anyone's files: the three forms read, and every kind of bad input a clear line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from amrg import score
from amrg.benchmark.references import References, read_references, save_references
from amrg.benchmark.submissions import Outputs, match_to_references, read_predictions
from amrg.birads import Category, Composition
from amrg.cli import Exit, app
from amrg.core.files import write_text
from amrg.datasets import DatasetError
from amrg.datasets.case import Case, ReferenceSource
from amrg.datasets.importer import About
from amrg.datasets.parquet import PartFacts, hash_of, write_part
from amrg.datasets.store import Dataset, Info, Split, open_dataset, part_path
from amrg.metrics.bulk_parsing import MAX_CHARACTERS
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import Scores

NORMAL = (
    "Breast Composition: fibro fatty breast parenchyma (ACR A).\nBIRADS: 1\nFindings: No abnormal soft opacity seen."
)
MASS = (
    "Breast Composition: fibro glandular breast parenchyma (ACR C).\nBIRADS: 4c\nFindings: Irregular spiculated mass."
)


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def texts(predictions: Sequence[Prediction]) -> dict[str, str | None]:
    return {p.key: p.text for p in predictions}


def references(*keys: str) -> References:
    return References("set", tuple(_case(key, NORMAL) for key in keys), "clean", "test", other_parts={"t1": "train"})


def _case(key: str, text: str, group: str = "") -> Case:
    from amrg.birads import parse

    return Case(
        key=key,
        dataset="set",
        group=group or key,
        source=ReferenceSource.RADIOLOGIST,
        licence="",
        images=(),
        reference=parse(text).report,
        text=text,
    )


def test_json_lines_csv_and_text_files_say_the_same(tmp_path: Path) -> None:
    jsonl = lines(tmp_path / "a.jsonl", {"id": "x", "text": NORMAL}, {"id": 2, "text": MASS})
    csv = tmp_path / "a.csv"
    quoted = "".join(f'{key},"{text}"\r\n' for key, text in (("x", NORMAL), ("2", MASS)))
    csv.write_bytes(b"\xef\xbb\xbfid,text\r\n" + quoted.encode())
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "x.txt").write_text(NORMAL, encoding="utf-8")
    (folder / "2.TXT").write_text(MASS, encoding="utf-8-sig")
    found = [texts(read_predictions(path).predictions) for path in (jsonl, csv, folder)]
    assert found[0] == found[1] == found[2] == {"x": NORMAL, "2": MASS}


def test_json_lines_with_a_byte_order_mark_and_carriage_returns_are_read(tmp_path: Path) -> None:
    rows = [json.dumps({"id": key, "text": text}) for key, text in (("x", NORMAL), ("y", MASS))]
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + "".join(row + "\r\n" for row in rows).encode())
    assert texts(read_predictions(tmp_path / "a.jsonl").predictions) == {"x": NORMAL, "y": MASS}


def test_facts_errors_and_what_amrg_stores_are_taken(tmp_path: Path) -> None:
    from amrg.birads import Report, parse

    report = parse(MASS).report
    path = lines(
        tmp_path / "a.jsonl",
        {"id": "a", "text": NORMAL, "report": report.model_dump(mode="json")},
        {"id": "b", "text": None, "error": "out of memory"},
        {"key": "c", "text": MASS, "refused": True, "seconds": 1.5},
        {"id": "d", "text": NORMAL, "report": None},
    )
    found = {p.key: p for p in read_predictions(path).predictions}
    assert found["a"].report == Report.model_validate(report.model_dump())
    assert (found["b"].text, found["b"].error) == (None, "out of memory")
    assert (found["c"].refused, found["c"].seconds) == (True, 1.5)
    assert found["d"].report is None


def test_a_run_folder_is_read_by_its_predictions(tmp_path: Path) -> None:
    lines(tmp_path / "predictions.jsonl", {"key": "a", "text": MASS})
    (tmp_path / "notes.txt").write_text("not a prediction", encoding="utf-8")
    assert texts(read_predictions(tmp_path).predictions) == {"a": MASS}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no text"),
        (" \n", "no text"),
        (None, "no text"),
        ("NaN", "no text"),
        (" n/a", "no text"),
        ("opacity " * (MAX_CHARACTERS // 8 + 1), "a text of over 100,000 characters"),
        ("half \ud800 a pair", "surrogate"),
    ],
)
def test_a_text_that_cannot_be_scored_has_failed_with_a_warning(text: str | None, why: str, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"id": "good", "text": NORMAL}, {"id": "bad", "text": text})
    found = read_predictions(path)
    assert texts(found.predictions) == {"good": NORMAL, "bad": None}
    (warning,) = found.warnings
    assert "1 of 2 predictions count as failed" in warning
    assert why in warning
    assert "bad" in warning


def test_a_case_with_an_error_has_failed_whatever_its_text(tmp_path: Path) -> None:
    found = read_predictions(lines(tmp_path / "a.jsonl", {"id": "a", "text": NORMAL, "error": "timed out"}))
    assert texts(found.predictions) == {"a": None}
    assert "timed out" in found.warnings[0]


def test_unknown_fields_are_named(tmp_path: Path) -> None:
    found = read_predictions(lines(tmp_path / "a.jsonl", {"id": "a", "text": NORMAL, "probabilty": 0.5}))
    assert found.warnings == ("unknown fields of the predictions, ignored: probabilty",)


def test_predictions_whose_text_has_another_name_are_refused_with_it(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"id": "a", "generated_text": MASS}, {"id": "b", "generated_text": MASS})
    with pytest.raises(BenchmarkError, match="in any of 2 predictions; found the fields generated_text; rename"):
        read_predictions(path)


@pytest.mark.parametrize(
    "mark", ["<think>5?</think> {}", "{}<end_of_turn>", "<|im_start|>assistant\n{}<|im_end|>", "{}</s>"]
)
def test_what_a_chat_left_in_a_text_is_named(mark: str, tmp_path: Path) -> None:
    rows = [{"id": "a", "text": mark.format(MASS)}, {"id": "b", "text": "Mass <5 mm, 3 > 2. <br> BI-RADS 2."}]
    (warning,) = read_predictions(lines(tmp_path / "a.jsonl", *rows)).warnings
    assert "1 text of 2 with marks of a chat" in warning
    assert warning.endswith("scored as written: a; remove all but the report")


def write(name: str, content: bytes) -> Callable[[Path], Path]:
    def written(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return written


GOOD = json.dumps({"id": "a", "text": NORMAL}).encode()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda folder: folder / "none.jsonl", "no such file"),
        (write("a.json", b"[]"), "found list, expected an object"),
        (write("a.jsonl", b"\n\n"), "found no record"),
        (write("a.jsonl", GOOD + b'\n\n{"id": "b", "text": "cut off\n'), "a.jsonl line 3: no JSON"),
        (write("a.jsonl", GOOD + b'\n["b", "text"]\n'), "line 2: found list"),
        (write("a.jsonl", b'{"image_id": "b", "text": "t"}\n'), "no `id`; found the fields image_id, text"),
        (
            write("a.jsonl", b'{"id": "b", "text": "t", "seconds": NaN}\n'),
            "line 1: no JSON (NaN is not a number of JSON",
        ),
        (write("a.jsonl", b"[" * 100_000), "line 1: no JSON (maximum recursion"),
        (write("a.jsonl", b'{"id": ' + b"9" * 5000 + b"}"), "line 1: no JSON (Exceeds the limit"),
        (write("a.jsonl", b'{"id": true, "text": "t"}\n'), "`id` is true"),
        (write("a.jsonl", b'{"id": "b", "text": 7}\n'), "`text` is int"),
        (write("a.jsonl", b'{"id": "b", "text": "t", "report": {"findings": 3}}\n'), "`report.findings` is '3'"),
        (write("a.jsonl", GOOD + b"\n" + GOOD), "line 2: duplicate id 'a', first at a.jsonl line 1"),
        (write("a.jsonl", GOOD.decode().encode("utf-16")), "found UTF-16"),
        (write("a.csv", "id,text\na,b\n".encode("utf-16-le")), "found UTF-16"),
        (write("a.csv", b"id,text\na,Befund: unauff\xe4llig\n"), "line 2: found the byte 0xe4, expected UTF-8"),
        (write("a.csv", b"id;text\na;b\n"), "separated by commas, not ';'"),
        (
            write("r.csv", b'"";"id";"text"\n"1";"a";"b"\n'),
            'r.csv line 1: found "";"id"',
        ),
        (write("a.csv", b"image,text\na,b\n"), "line 1: found image, text"),
        (write("a.csv", b"id,text\na,No mass, no calcifications\n"), "line 2: the row does not have as many fields"),
        (write("t.csv", b"id,text,text\na,No mass,a mass\n"), "t.csv line 1: the column text is there twice"),
        (write("f.jsonl", b'{"id": 1.0, "text": "No mass"}\n'), "`id` is 1.0; expected a text, or a whole number"),
        (write("a.csv", b'id,text\na,"No mass\nb,No mass\n'), "is a double quote left open?"),
        (lambda folder: folder, "found no .txt file"),
    ],
)
def test_bad_input_is_one_clear_line(made: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError) as refused:
        read_predictions(made(tmp_path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_texts_in_memory_come_from_a_series_and_other_tables_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"id": [1, 2], "text": [MASS, NORMAL]})
    references = {"1": MASS, "2": NORMAL}
    for given in (table.set_index("id")["text"], dict(zip(table["id"], table["text"], strict=True))):
        assert score(given, references).systems["system"].metrics["birads_accuracy_7_worst"].n == 2
    others: list[Any] = [table, [MASS, NORMAL], table.to_dict("records")]
    for wrong in others:
        with pytest.raises(BenchmarkError, match=r"predictions: found \w+; expected a file or folder, or texts by"):
            score(wrong, references)
    with pytest.raises(BenchmarkError, match="references: found DataFrame"):
        score(references, table)


def test_latin_1_is_named_with_how_to_convert(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Dichte Brüste".encode("latin-1"))
    with pytest.raises(BenchmarkError, match=r"latin-1.*iconv -f WINDOWS-1252 -t UTF-8 a\.txt"):
        read_predictions(tmp_path)


def outputs(*keys: str) -> Outputs:
    return Outputs(tuple(Prediction(key=key, text=NORMAL) for key in keys))


def test_predictions_come_in_the_order_of_the_references_and_missing_ones_have_failed() -> None:
    found = match_to_references(references("a", "b", "c"), outputs("c", "a"))
    assert [p.key for p in found.predictions] == ["a", "b", "c"]
    assert [p.error for p in found.predictions] == [None, "no prediction", None]
    assert found.warnings == ("1 of 3 cases have no prediction and count as failed: b",)


def test_predictions_of_other_cases_are_skipped_with_a_warning() -> None:
    found = match_to_references(references("a", "b"), outputs("a", "b", "t1", "x", "y"))
    assert [p.key for p in found.predictions] == ["a", "b"]
    (warning,) = found.warnings
    assert "3 predictions are of cases that are not among the 2 references" in warning
    assert "1 to part train of split clean" in warning


def test_predictions_for_another_split_are_refused_and_the_part_is_named() -> None:
    with pytest.raises(BenchmarkError, match="1 to part train of split clean") as refused:
        match_to_references(references("a", "b", "c"), outputs("a", "t1"))
    assert "2 references have none" in str(refused.value)
    with pytest.raises(BenchmarkError, match="1 prediction is of cases that are not among the 1 reference"):
        match_to_references(references("Img001"), outputs("IMG001"))
    with pytest.raises(BenchmarkError, match="found for example 'IMG001', expected for example 'Img001'"):
        match_to_references(references("Img001"), outputs("IMG001"))


def test_references_of_a_file_are_parsed_and_grouped_by_their_words(tmp_path: Path) -> None:
    again = NORMAL.upper().replace("\n", "  ")
    path = lines(tmp_path / "mine.jsonl", *({"id": i, "text": t} for i, t in enumerate((NORMAL, MASS, again))))
    found = read_references(path)
    assert [c.reference.worst for c in found.cases] == [
        Category.NEGATIVE,
        Category.HIGH_SUSPICION,
        Category.NEGATIVE,
    ]
    assert found.cases[1].reference.composition is Composition.C
    assert found.groups[0] == found.groups[2] != found.groups[1]
    assert "3 of 3 references name no `group`" in found.warnings[0]


def test_references_take_groups_facts_and_where_they_come_from(tmp_path: Path) -> None:
    row = {"id": "a", "text": "rendered", "group": "p1", "source": "rendered from labels"}
    row["report"] = _case("a", MASS).reference.model_dump(mode="json")  # type: ignore[assignment]
    found = read_references(lines(tmp_path / "a.jsonl", row))
    assert found.warnings == ()
    (case,) = found.cases
    assert (case.group, case.source) == ("p1", ReferenceSource.LABELS)
    assert case.reference.worst is Category.HIGH_SUSPICION


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a", "text": ""}, "a.jsonl line 1: no reference text for 'a'"),
        ({"id": "a"}, "no reference text for 'a'"),
        ({"id": "a", "text": "x" * (MAX_CHARACTERS + 1)}, "a reference of 100,001 characters"),
        ({"id": "a", "text": "x", "source": "a model"}, "source is 'a model'; expected radiologist"),
        ({"id": "a", "text": "x", "report": {"worst": 3}}, "report: `worst` is '3'"),
    ],
)
def test_a_bad_reference_is_refused(row: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError) as refused:
        read_references(lines(tmp_path / "a.jsonl", row))
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["nan", " N/A", "-"])
def test_a_cell_that_says_there_is_none_is_no_reference(text: str, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"refs\.jsonl line 1: no reference text for 'a'"):
        read_references(lines(tmp_path / "refs.jsonl", {"id": "a", "text": text}))


def test_a_reference_with_half_a_character_is_refused_by_its_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "refs.jsonl", {"id": "a", "text": NORMAL}, {"id": "b", "text": "half \ud800 a pair"})
    with pytest.raises(BenchmarkError, match=r"refs\.jsonl line 2: .*unpaired surrogate"):
        read_references(path)


def test_the_hash_is_of_the_cases_wherever_they_are_read_from(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": NORMAL, "group": "1"}, {"id": "b", "text": MASS, "group": "2"}]
    first = read_references(lines(tmp_path / "a.jsonl", *rows))
    save_references(first.cases, tmp_path)
    assert read_references(tmp_path).hash == first.hash
    rows[1]["text"] = NORMAL
    assert read_references(lines(tmp_path / "a.jsonl", *rows)).hash != first.hash


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A data set folder of six cases; the last test case has the words of a train case."""
    words = [NORMAL, MASS, NORMAL + " Skin normal.", MASS + " Nipple retracted.", MASS + " BIRADS 5.", MASS]
    cases = [_case(f"c{i}", text, f"patient-{i}") for i, text in enumerate(words)]
    folder = tmp_path / "set"
    about = About("set", "", "", "", "")
    facts = PartFacts(
        layout=1, dataset="set", root=".", software="", items="", hash=hash_of(cases), cases=len(cases), images=0
    )
    write_part(part_path(folder, 0), cases, facts)
    info = Info.of(about, ".", {"cases": len(cases)}, [facts.hash])
    write_text(folder / "dataset.json", [info.as_json()])
    return open_dataset(folder)


def _split(dataset: Dataset) -> None:
    dataset.write_split(
        Split(
            schema=1,
            name="mine",
            version=1,
            seed=None,
            rule="by hand",
            dataset="set",
            dataset_hash=dataset.info.hash,
            train=("c0", "c1"),
            validation=("c2",),
            test=("c5", "c3", "c4"),
        )
    )


def test_a_part_of_a_split_comes_with_training_cases(dataset: Dataset) -> None:
    _split(dataset)
    found = read_references(dataset.folder, "mine")
    assert [c.key for c in found.cases] == ["c5", "c3", "c4"]
    assert {c.key for c in found.training} == {"c0", "c1"}
    assert found.other_parts == {"c0": "train", "c1": "train", "c2": "validation"}
    assert found.hashes["dataset"] == dataset.info.hash
    (leak,) = found.leaks
    assert "1 of 3 cases" in leak
    assert "(c5)" in leak


@pytest.mark.parametrize("seed", range(4))
def test_a_leak_is_looked_for_in_the_whole_train_part(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Also among the cases that baselines are not fitted on, since those are at most so many."""
    _split(dataset)
    monkeypatch.setattr("amrg.benchmark.references.MAX_TRAINING_CASES", 1)
    found = read_references(dataset.folder, "mine", seed=seed)
    assert len(found.training) == 1
    assert [line.partition(" cases")[0] for line in found.leaks] == ["the split leaks: 1 of 3"]


def test_a_leak_is_counted_of_the_cases_that_are_scored(dataset: Dataset) -> None:
    _split(dataset)
    assert [line.partition(" have")[0] for line in read_references(dataset.folder, "mine", limit=1).leaks] == [
        "the split leaks: 1 of 1 cases"
    ]


@pytest.mark.usefixtures("no_page_charts")
def test_how_a_split_leaks_stays_with_the_run_when_it_is_scored_again(dataset: Dataset, tmp_path: Path) -> None:
    _split(dataset)
    mine = lines(tmp_path / "mine.jsonl", *({"id": key, "text": NORMAL} for key in ("c3", "c4", "c5")))
    leak, run = "the split leaks: 1 of 3 cases", tmp_path / "run"
    for command in (
        ("score", mine, "--references", dataset.folder, "--split", "mine", "--out", run),
        ("score", run, "--references", run, "--out", run),
        ("score", mine, "--references", run, "--out", tmp_path / "other"),
    ):
        done = CliRunner().invoke(app, ["benchmark", *map(str, command)])
        assert done.exit_code == Exit.OK, done.output
        assert leak in done.stderr
        scores = Scores.model_validate_json((Path(command[-1]) / "scores.json").read_bytes())
        assert [line.startswith(leak) for line in scores.data.leaks] == [True]
        assert sum(line.startswith(leak) for line in scores.warnings) == 1
        assert leak in (Path(command[-1]) / "report.html").read_text(encoding="utf-8")


def test_baselines_are_not_fitted_on_training_cases_that_are_scored(dataset: Dataset) -> None:
    _split(dataset)
    found = read_references(dataset.folder, "mine", "train")
    assert (found.part, found.training) == ("train", ())


def test_a_data_set_needs_one_of_its_splits(dataset: Dataset, tmp_path: Path) -> None:
    assert "has no split" in read_references(dataset.folder).warnings[0]
    _split(dataset)
    with pytest.raises(BenchmarkError, match="needs --split to say which cases; it has mine"):
        read_references(dataset.folder)
    with pytest.raises(DatasetError, match="no split 'other'"):
        read_references(dataset.folder, "other")
    with pytest.raises(DatasetError, match="no part 'tests'"):
        read_references(dataset.folder, "mine", "tests")
    with pytest.raises(BenchmarkError, match="a split belongs to a data set"):
        read_references(lines(tmp_path / "a.jsonl", {"id": "a", "text": NORMAL}), "mine")
