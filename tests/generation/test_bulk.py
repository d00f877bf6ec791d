"""Many studies: one result each, whatever happens to the others, to a process or to the whole run."""

from __future__ import annotations

import itertools
import json
import pickle
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from pydicom.uid import BreastTomosynthesisImageStorage

from amrg.birads import Style
from amrg.core.attempts import Attempts
from amrg.generation import DraftOptions, Generation, Request
from amrg.generation.bulk.drafting import TaskDrafter, TaskResult
from amrg.generation.bulk.processes import WorkerError
from amrg.generation.bulk.records import StudyOutcome, StudyStatus, run_key, withdraw_since
from amrg.generation.engines.base import EngineDrifted
from amrg.generation.engines.fixed import FixedEngine
from amrg.imaging import Intake, read_studies
from amrg.imaging.intake import read_files
from tests.generation.bulk_studies import (
    CRASH,
    DriftingBesideEngine,
    DriftingEngine,
    FailingEngine,
    FatalEngine,
    contents,
    draft_beside,
    draft_here,
    index_of,
    options_of,
    write_studies,
)
from tests.imaging.changed import change_all, put

COUNT = 8


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_studies(tmp_path_factory.mktemp("studies"), COUNT)


@pytest.fixture(scope="module")
def one_run(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one")
    assert [r.resumed for r in draft_here(studies, options_of(out))] == [False] * COUNT
    return out


def rows(results: list[TaskResult]) -> dict[str, StudyOutcome]:
    return {row.study_instance_uid: row for result in results for row in result.record.rows}


def test_killed_again_and_again_a_run_ends_with_the_bytes_of_one(studies: Path, one_run: Path, tmp_path: Path) -> None:
    """Of the command and its workers alike, with another number of workers each time."""
    printed: list[str] = []
    for workers, killed_after in ((1, 2), (2, 3), (1, COUNT)):
        command = [sys.executable, "-m", "tests.generation.bulk_studies", str(studies), str(tmp_path), str(workers)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout as lines:
            new = (line for line in lines if line.rstrip().endswith("False"))
            printed += [line for line, _ in zip(new, range(killed_after), strict=False)]
            process.kill()
        process.wait()
    assert draft_here(studies, options_of(tmp_path))
    assert len(printed) == len(set(printed))  # none was drafted twice and reported twice
    assert contents(tmp_path) == contents(one_run)


def test_what_a_server_answered_after_it_was_exchanged_is_withdrawn_and_drafted_again(
    studies: Path, one_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineDrifted, match="3 drafts after that withdrawn: run the same command again") as drifted:
        draft_here(studies, options_of(tmp_path), DriftingEngine())
    assert pickle.loads(pickle.dumps(drifted.value)).since == drifted.value.since
    assert len(list(tmp_path.glob("*/report.txt"))) == 2
    again = draft_here(studies, options_of(tmp_path))
    assert sum(not result.resumed for result in again) == COUNT - 2
    assert contents(tmp_path) == contents(one_run)


def test_what_other_workers_drafted_since_a_server_was_exchanged_is_withdrawn_too(
    studies: Path, one_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(EngineDrifted, match="another answer; of this run 2 drafts after that withdrawn"):
        list(draft_beside(studies, options_of(out), partial(DriftingBesideEngine, out=out), workers=2))
    assert len(list(out.glob("*/report.txt"))) == 1
    assert sum(not result.resumed for result in draft_here(studies, options_of(out))) == COUNT - 1
    assert contents(out) == contents(one_run)


def test_a_draft_that_an_ended_process_wrote_without_its_record_is_withdrawn_too(one_run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(one_run, tmp_path / "out", copy_function=shutil.copyfile)
    times = sorted(path.stat().st_mtime for path in out.glob("*/written.json"))
    shutil.rmtree(out / ".records")
    (out / "1.2.1" / "report.txt").write_text("edited", encoding="utf-8")
    assert withdraw_since(out, times[0]) == COUNT
    assert sorted(path.name for path in out.glob("*/*")) == ["report.txt", "written.json"]


def test_what_a_server_answered_last_is_withdrawn_where_it_is_not_confirmed(studies: Path, tmp_path: Path) -> None:
    class Unconfirmed(FixedEngine):
        def confirm(self) -> None:
            raise EngineDrifted("another answer", 0.0)

    with pytest.raises(EngineDrifted, match=f"{COUNT} drafts after that withdrawn"):
        draft_here(studies, options_of(tmp_path), Unconfirmed())
    assert not list(tmp_path.glob("*/report.txt"))


def test_a_finished_study_is_not_drafted_again(studies: Path, one_run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(one_run, tmp_path / "out")
    moved = shutil.copytree(studies, tmp_path / "moved", copy_function=shutil.copyfile)  # with other times
    assert all(result.resumed for result in draft_here(moved, options_of(out)))
    change_all(moved / "1.2.4", put(StudyDescription="another"))
    (out / "1.2.5" / "report.json").unlink()
    (out / "1.2.6" / "report.txt").write_text("edited", encoding="utf-8")
    again = draft_here(moved, options_of(out))
    assert {r.task.studies[0] for r in again if not r.resumed} == {"1.2.4", "1.2.5"}
    assert rows(again)["1.2.6"].edited == ("report.txt",)
    assert (out / "1.2.6" / "report.txt").read_text(encoding="utf-8") == "edited"


def test_the_model_and_every_option_are_part_of_what_is_finished() -> None:
    engines = (FixedEngine(), FixedEngine(("Left breast: BI-RADS 4.",)))
    options = (DraftOptions(), DraftOptions(Style.DMID), DraftOptions(force=True))
    keys = {run_key(engine, chosen, named) for engine in engines for chosen in options for named in (False, True)}
    assert len(keys) == 12


def test_three_studies_of_damaged_files_cost_no_other_its_draft(studies: Path, tmp_path: Path) -> None:
    source, out = shutil.copytree(studies, tmp_path / "in"), tmp_path / "out"
    for uid in ("1.2.2", "1.2.5", "1.2.7"):
        for path in (source / uid).iterdir():
            path.write_bytes(path.read_bytes()[:-40_000])
    for resumed in (False, True):
        results = draft_here(source, options_of(out))
        assert {result.resumed for result in results} == {resumed}
        found = {uid: row.status for uid, row in rows(results).items()}
        damaged = sorted(uid for uid, status in found.items() if status is StudyStatus.UNREADABLE)
        assert damaged == ["1.2.2", "1.2.5", "1.2.7"]
        assert len(list(out.glob("*/report.json"))) == COUNT - 3
        assert "no view of it can be read: LCC.dcm: " in rows(results)["1.2.2"].message
    retried = draft_here(source, options_of(out, retry_failed=True))
    assert sum(not result.resumed for result in retried) == 3


def test_a_study_of_files_that_are_no_views_has_a_row_that_says_so(studies: Path, tmp_path: Path) -> None:
    source = shutil.copytree(studies, tmp_path / "in")
    change_all(source / "1.2.4", put(SOPClassUID=BreastTomosynthesisImageStorage))
    found = rows(draft_here(source, options_of(tmp_path / "out")))
    assert [uid for uid, row in found.items() if row.status is not StudyStatus.DRAFTED] == ["1.2.4"]
    assert (found["1.2.4"].status, found["1.2.4"].kind) == (StudyStatus.NO_VIEW, "NoScreeningView")
    assert re.search(r"study 1\.2\.4: it has no screening view: set aside, .*tomosynthesis", found["1.2.4"].message)


def test_an_error_over_one_study_of_a_batch_is_its_row_and_quotes_no_file(studies: Path, tmp_path: Path) -> None:
    source = shutil.copytree(studies, tmp_path / "in")
    for name in ("LMLO.dcm", "RMLO.dcm"):
        (source / "1.2.3" / name).unlink()
    found = rows(draft_here(source, options_of(tmp_path / "out"), FailingEngine(max_batch=4)))
    assert [uid for uid, row in found.items() if row.status is not StudyStatus.DRAFTED] == ["1.2.3"]
    assert (found["1.2.3"].status, found["1.2.3"].kind) == (StudyStatus.FAILED, "KeyError")
    assert "an error in amrg, KeyError at bulk_studies.py:" in found["1.2.3"].message
    assert "Doe" not in found["1.2.3"].message


def test_a_study_that_fails_costs_no_other_of_its_patient_the_draft(tmp_path: Path) -> None:
    source = write_studies(tmp_path / "in", 4)
    for name in ("LMLO.dcm", "RMLO.dcm"):
        (source / "1.2.3" / name).unlink()
    for study in ("1.2.2", "1.2.3", "1.2.4"):
        change_all(source / study, put(PatientID="P"))
    found = rows(results := draft_here(source, options_of(tmp_path / "out"), FailingEngine()))
    assert len(results) == 2
    assert {uid: row.status for uid, row in found.items()} == {
        **dict.fromkeys(("1.2.1", "1.2.2", "1.2.4"), StudyStatus.DRAFTED),
        "1.2.3": StudyStatus.FAILED,
    }
    assert sum(len(result.record.rows) for result in results) == 4


def test_the_next_studies_are_read_while_the_model_works(studies: Path, tmp_path: Path) -> None:
    read, drafted = threading.Semaphore(0), itertools.count(1)

    def noting(files: Sequence[Path]) -> Intake:
        read.release()
        return read_files(files)

    class Waiting(FixedEngine):
        def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
            number = next(drafted)
            for _ in range((number == 1) + (number < COUNT)):  # itself, which is read first, and the next
                assert read.acquire(timeout=60)
            return super().generate(requests)

    attempts = Attempts(tmp_path / "attempts", "session", "here")
    with closing(index_of(studies)) as index:
        results = list(TaskDrafter(Waiting(), options_of(tmp_path / "out"), attempts, noting).run(index.tasks()))
    assert len(results) == COUNT
    assert all(row.status is StudyStatus.DRAFTED for row in rows(results).values())
    assert all(result.waited.engine > 0 for result in results)
    assert results[0].waited.images > 0


def test_a_study_that_ends_two_worker_processes_is_set_aside(studies: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    for uid in ("1.2.1", "1.2.2", "1.2.3", "1.2.4"):
        shutil.copytree(studies / uid, source / uid)
    for name in ("LMLO.dcm", "RMLO.dcm"):
        (source / "1.2.3" / name).unlink()
    results = list(draft_beside(source, options_of(tmp_path / "out"), FatalEngine, workers=1))
    found = rows(results)
    assert sorted(found) == ["1.2.1", "1.2.2", "1.2.3", "1.2.4"]
    assert [uid for uid, row in found.items() if row.status is StudyStatus.FAILED] == ["1.2.3"]
    assert (found["1.2.3"].kind, len(results)) == ("Crash", 4)
    assert "study 1.2.3: its files ended 2 worker processes: set aside" in found["1.2.3"].message
    assert not any((tmp_path / "out" / ".records" / "attempts").iterdir())


def test_a_file_whose_decoder_ends_a_worker_process_costs_itself_and_no_other_view(
    studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uid in ("1.2.1", "1.2.2"):
        shutil.copytree(studies / uid, tmp_path / "in" / uid)
    (tmp_path / "sitecustomize.py").write_text(CRASH, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    results = list(draft_beside(tmp_path / "in", options_of(tmp_path / "out"), FixedEngine, workers=1))
    found = rows(results)
    assert {uid: row.status for uid, row in found.items()} == dict.fromkeys(("1.2.1", "1.2.2"), StudyStatus.DRAFTED)
    (report,) = (tmp_path / "out" / "1.2.2").glob("report.json")
    draft = json.loads(report.read_text(encoding="utf-8"))
    assert draft["missing_views"] == [["L", "MLO"]]
    assert any("LMLO.dcm: its decoder ended the process that read it" in line for line in draft["problems"])


def test_a_worker_that_cannot_load_its_engine_ends_the_run(studies: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"ended while it loaded the model \(exit code 1\); where memory is short"):
        list(draft_beside(studies, options_of(tmp_path), missing_engine, workers=1))


def missing_engine() -> FixedEngine:
    raise SystemExit(1)


HANGING = """
import signal, sys
from pathlib import Path
from amrg.core.attempts import Attempts
with Attempts(Path(sys.argv[1]), "session", "there", limit=0.2).working(["task"], 0):
    signal.pause()
"""


def test_a_process_that_takes_too_long_ends_itself_and_its_study_is_known(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HANGING, str(tmp_path)], check=False)
    assert done.returncode == 1
    attempts = Attempts(tmp_path, "session", "here")
    assert (attempts.deaths("task").count, attempts.deaths("task").timed_out) == (1, True)
    assert attempts.deaths("other").count == 0
    assert Attempts(tmp_path, "another session", "here").deaths("task").count == 0
    down = Attempts(tmp_path, "session", "here", is_up=lambda place: place != "there")
    assert down.deaths("task").count == 0


def test_files_are_read_together_as_their_headers_say(studies: Path, tmp_path: Path) -> None:
    """Task by task gives the studies of the whole folder, priors and notes with them."""
    source = shutil.copytree(studies, tmp_path / "in")
    change_all(source / "1.2.2", put(PatientID="P1"))  # the exam of the day before is its prior
    change_all(source / "1.2.3", put(PatientID="P4", StudyDate="20240104"))  # two on one day
    (source / "1.2.5" / "RCC.dcm").rename(source / "moved.dcm")
    (source / "broken.dcm").write_bytes(b"no DICOM")
    whole = read_studies(source)
    with closing(index_of(source)) as index:
        tasks = list(index.tasks())
        assert (len(index), index.studies) == (len(tasks), COUNT)
    parts = [read_files(task.files) for task in tasks]
    by_uid = {study.study_instance_uid: study for part in parts for study in part.studies}
    assert by_uid == {study.study_instance_uid: study for study in whole.studies}
    assert any(study.prior for study in whole.studies)
    assert [problem for part in parts for problem in part.problems] == list(whole.problems)
    sizes = [len(task.files) for task in tasks]
    assert sizes == sorted(sizes)
