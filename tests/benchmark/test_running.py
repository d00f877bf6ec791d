"""A run ends with the same bytes however often interrupted, loses no case, and refuses a different run's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from amrg.benchmark import Prediction
from amrg.benchmark.references import References
from amrg.benchmark.run.manifest import load_manifest
from amrg.benchmark.run.perturbed_predictions import derangement
from amrg.benchmark.run.run_config import RunConfig
from amrg.benchmark.run.running import run
from amrg.benchmark.scoring.measure import pairs_of
from amrg.birads import Laterality, Report
from amrg.datasets import study_of
from amrg.datasets.case import Case
from amrg.datasets.store import open_dataset
from amrg.generation import Drafted, DraftOptions, draft_studies
from amrg.generation.engines.base import DRAFTED, GREEDY, EngineDrifted, Generation, Request, Unanswered
from amrg.imaging import Study
from amrg.metrics.errors import BenchmarkError
from tests.benchmark.reader import Reader, Stopped, draw, imported

R, L = Laterality.RIGHT, Laterality.LEFT
TRAIN, SIDES = 2, (R, L, None, R, L, L, R)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exams")
    return imported(draw(folder / "drawn", SIDES), folder / "data", TRAIN).folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    go(RunConfig(data, "some", folder))
    return folder


def go(config: RunConfig, reader: Reader | None = None) -> References:
    return run(config, reader or Reader(), lambda what, done, of: None)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by name, but for how long things took."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != "timings.jsonl")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def predictions(path: Path) -> list[Prediction]:
    return [Prediction.model_validate_json(line) for line in path.read_bytes().splitlines()]


def test_a_run_holds_every_case_in_the_order_of_the_split(data: Path, whole: Path) -> None:
    written = predictions(whole / "predictions.jsonl")
    assert tuple(p.key for p in written) == open_dataset(data).split("some").test
    assert [p.report.findings[0].laterality if p.report and p.report.findings else None for p in written] == [
        *SIDES[TRAIN:]
    ]
    assert set(contents(whole)) >= {
        *(f"baselines/{name}.jsonl" for name in ("constant", "sampled", "prior", "retrieval", "oracle", "perfect")),
        *(f"perturbed/{name}.jsonl" for name in ("blanked", "shuffled", "mirrored")),
    }


def test_progress_never_says_more_than_there_is(data: Path, tmp_path: Path) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    run(
        RunConfig(data, "some", tmp_path), Reader(), lambda what, done, of: told.setdefault(what, []).append((done, of))
    )
    for steps in told.values():
        assert steps == [(number, len(steps)) for number in range(1, len(steps) + 1)]


@pytest.mark.parametrize("stops", [1, 2, 3])
def test_interrupted_again_and_again_it_ends_with_the_same_bytes(
    stops: int, data: Path, whole: Path, tmp_path: Path
) -> None:
    times = 0
    while times < 20:
        try:
            go(RunConfig(data, "some", tmp_path), Reader(stops=stops + 1))
            break
        except Stopped:
            times += 1
            cut_last_lines(tmp_path)
    assert times >= 2
    assert contents(tmp_path) == contents(whole)


@dataclass
class Several(Reader):
    """Takes three studies together; `groups` are how many it was given each time.

    `drifts`: at its second group it is seen to answer otherwise than since the first. `refuses`: one study gets none.
    """

    max_batch: int = 3
    groups: list[int] = field(default_factory=list)
    drifts: bool = False
    refuses: bool = False
    since: float = 0.0

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation | Unanswered]:  # type: ignore[override]
        self.groups.append(len(requests))
        if self.drifts and len(self.groups) == 2:
            raise EngineDrifted("another answer", self.since)
        for number, made in enumerate(super().generate(requests)):
            self.since = self.since or time.time()
            yield Unanswered("busy") if self.refuses and self.groups == [3] and number == 1 else made


def test_cases_are_drafted_as_many_together_as_the_engine_takes(data: Path, whole: Path, tmp_path: Path) -> None:
    several = Several()
    go(RunConfig(data, "some", tmp_path, perturbed=0), several)
    assert several.groups == [3, 2]
    assert json.loads((tmp_path / "manifest.json").read_bytes())["batch_size"] == 3
    assert (tmp_path / "predictions.jsonl").read_bytes() == (whole / "predictions.jsonl").read_bytes()


def test_perturbed_images_are_drafted_as_many_together_as_the_engine_takes(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def study(case: Case, root: Path) -> Study:
        opened.append(case.key)
        return study_of(case, root)

    monkeypatch.setattr("amrg.benchmark.studies.study_of", study)
    several, cases = Several(), len(SIDES) - TRAIN
    go(RunConfig(data, "some", tmp_path / "cases", perturbed=0), Several())
    for_cases = len(opened)
    go(RunConfig(data, "some", tmp_path / "both"), several)
    assert several.groups == [3, 2, 3, 3]  # the cases, then five mirrored exams and the one blank
    assert len(opened) - 2 * for_cases <= cases  # once each for both
    for name in ("blanked", "mirrored", "shuffled"):
        path = Path("perturbed") / f"{name}.jsonl"
        assert (tmp_path / "both" / path).read_bytes() == (whole / path).read_bytes()


@pytest.mark.parametrize("cut", ["blanked", "mirrored"])
def test_only_what_is_missing_on_perturbed_images_is_drafted(cut: str, data: Path, tmp_path: Path) -> None:
    config = RunConfig(data, "some", tmp_path)
    go(config, Several())
    before = contents(tmp_path)
    path = tmp_path / "perturbed" / f"{cut}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    several = Several()
    go(config, several)
    assert several.groups == {"blanked": [1], "mirrored": [3]}[cut]
    assert contents(tmp_path) == before


def test_what_was_predicted_since_a_server_was_exchanged_is_withdrawn(data: Path, whole: Path, tmp_path: Path) -> None:
    config = RunConfig(data, "some", tmp_path, perturbed=0)
    with pytest.raises(EngineDrifted, match="another answer; 3 predictions after that withdrawn: run the same command"):
        go(config, Several(drifts=True))
    assert (tmp_path / "predictions.jsonl").read_bytes() == b""
    go(config, Several())
    assert (tmp_path / "predictions.jsonl").read_bytes() == (whole / "predictions.jsonl").read_bytes()


def test_failed_cases_are_tried_again_where_requested_and_no_others(data: Path, whole: Path, tmp_path: Path) -> None:
    config = RunConfig(data, "some", tmp_path, perturbed=0)
    go(config, Several(refuses=True))
    assert [p.error for p in predictions(tmp_path / "predictions.jsonl")] == [None, "busy", None, None, None]
    for retry_failed, drafted in ((False, []), (True, [1])):
        again = Several()
        go(replace(config, retry_failed=retry_failed), again)
        assert again.groups == drafted
    assert (tmp_path / "predictions.jsonl").read_bytes() == (whole / "predictions.jsonl").read_bytes()


def cut_last_lines(folder: Path) -> None:
    """As if the process had been killed while writing the next line."""
    for path in (*folder.glob("predictions.jsonl"), *folder.glob("perturbed/*.jsonl"), *folder.glob("timings.jsonl")):
        with path.open("ab") as lines:
            lines.write(b'{"key":"study-3","text":"TECHN')


@pytest.mark.parametrize("cut", [1, 100, 100_000])
def test_a_file_cut_anywhere_is_completed(cut: int, data: Path, whole: Path, tmp_path: Path) -> None:
    before = contents(whole)
    for name, content in before.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if name == "manifest.json" else content[:-cut])
    go(RunConfig(data, "some", tmp_path))
    assert contents(tmp_path) == before


def test_what_is_finished_is_not_drafted_again(data: Path, tmp_path: Path) -> None:
    config = RunConfig(data, "some", tmp_path, perturbed=0)
    with pytest.raises(Stopped):
        go(config, Reader(stops=4))
    second, third = Reader(), Reader()
    go(config, second)
    go(config, third)
    assert (second.read, third.read) == (len(SIDES) - TRAIN - 3, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed is 0, requested 1"),
        ({"limit": 3}, "data.n is 5, requested 3"),
        ({"score_text": "model"}, "prompt.score_text is 'clinical', requested 'model'"),
    ],
)
def test_a_different_run_is_refused_in_one_line(
    change: dict[str, object], message: str, data: Path, whole: Path
) -> None:
    before = contents(whole)
    with pytest.raises(BenchmarkError, match="the folder contains a different run") as refused:
        go(replace(RunConfig(data, "some", whole), **change))  # type: ignore[arg-type]
    assert message in str(refused.value) or message.split(" is ", maxsplit=1)[0] in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(BenchmarkError, match=r"model\.name is 'reader', requested 'writer'"):
        go(RunConfig(data, "some", whole), Reader(name="writer"))
    assert contents(whole) == before


def test_a_run_says_how_its_texts_were_decoded_and_is_resumed_however_they_are(data: Path, tmp_path: Path) -> None:
    config = RunConfig(data, "some", tmp_path / "run")
    with pytest.raises(Stopped):
        go(config, Reader(stops=2))
    reader = Reader(decoding=DRAFTED)
    go(config, reader)
    assert load_manifest(tmp_path / "run").prompt.decoding == GREEDY  # as it was begun
    go(replace(config, out=tmp_path / "drafted"), reader)
    assert load_manifest(tmp_path / "drafted").prompt.decoding == DRAFTED


def test_predictions_without_a_manifest_are_not_resumed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(BenchmarkError, match=r"without manifest\.json"):
        go(RunConfig(data, "some", tmp_path))


def test_a_case_that_cannot_be_read_is_stored_with_its_reason_and_not_scored(tmp_path: Path) -> None:
    drawn = draw(tmp_path / "drawn", SIDES)
    data = imported(drawn, tmp_path / "data", TRAIN).folder
    (drawn / "study-3" / "LMLO.dcm").unlink()
    (drawn / "study-0" / "LMLO.dcm").write_bytes(b"no image")
    references = go(RunConfig(data, "some", tmp_path / "run"))
    failed = [p for p in predictions(tmp_path / "run" / "predictions.jsonl") if p.text is None]
    assert [(p.key, p.report) for p in failed] == [("study-3", None)]
    assert "LMLO.dcm" in (failed[0].error or "")
    (pair,) = [p for p in pairs_of(references.cases, predictions(tmp_path / "run" / "predictions.jsonl")) if not p.text]
    assert (pair.key, pair.report) == ("study-3", None)
    for how in ("blanked", "mirrored"):
        perturbed = predictions(tmp_path / "run" / "perturbed" / f"{how}.jsonl")
        assert [p.key for p in perturbed if p.text is None] == ["study-3"]
    nearest = predictions(tmp_path / "run" / "baselines" / "retrieval.jsonl")
    assert [p.key for p in nearest if p.text is None] == ["study-3"]


def test_shuffled_drafts_are_those_of_the_partners_images(data: Path, whole: Path) -> None:
    dataset = open_dataset(data)
    cases = {key: dataset.case(key) for key in dataset.split("some").test}
    partner = derangement(list(cases.values()), 0)
    for prediction in predictions(whole / "perturbed" / "shuffled.jsonl"):
        study = study_of(cases[prediction.key], dataset.root)
        other = study_of(cases[partner[prediction.key]], dataset.root)
        swapped = study.model_copy(update={"mammograms": other.mammograms})
        (drafted,) = draft_studies([swapped], Reader(), DraftOptions(force=True, study_facts=False))
        assert isinstance(drafted, Drafted)
        assert prediction.text == drafted.draft.text
        assert partner[prediction.key] != prediction.key


def test_without_training_cases_a_warning_says_what_is_skipped(tmp_path: Path) -> None:
    data = imported(draw(tmp_path / "drawn", SIDES[:3]), tmp_path / "data", 0).folder
    go(RunConfig(data, "some", tmp_path / "run", perturbed=0))
    about = json.loads((tmp_path / "run" / "baselines" / "about.json").read_text(encoding="utf-8"))
    assert any("retrieval is skipped" in line for line in about["warnings"])
    assert any("cross-fitted" in line for line in about["warnings"])
    assert not (tmp_path / "run" / "baselines" / "retrieval.jsonl").exists()


def test_baselines_are_fitted_on_another_set_but_never_on_a_tested_patient(data: Path, tmp_path: Path) -> None:
    other = imported(draw(tmp_path / "drawn", (L, R, L), first=6), tmp_path / "other", 0).folder  # study 6 is tested
    references = go(RunConfig(data, "some", tmp_path / "run", training=other, perturbed=0))
    assert [case.key for case in references.training] == ["study-7", "study-8"]
    nearest = predictions(tmp_path / "run" / "baselines" / "retrieval.jsonl")
    assert {p.text for p in nearest} <= {case.text for case in references.training}


def test_the_report_that_is_stored_reads_back_exactly(whole: Path) -> None:
    for line in (whole / "predictions.jsonl").read_bytes().splitlines():
        stored = Prediction.model_validate_json(line)
        assert stored.seconds is None
        assert stored.report is not None
        assert Report.model_validate_json(stored.report.model_dump_json()) == stored.report
