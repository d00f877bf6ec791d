"""Tasks to records: read, drafted, written, and recorded; the next ones are read while the engine works."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from amrg.birads import Draft
from amrg.core.attempts import MOST, Attempts, Deaths
from amrg.core.errors import AmrgError
from amrg.core.plurals import counted
from amrg.generation.batch import Drafted, Outcome, Prepared, Ready, Refused, Unreadable, draft_prepared, prepare_study
from amrg.generation.bulk.index import StudyTask
from amrg.generation.bulk.records import RecordStore, StudyOutcome, StudyStatus, TaskRecord, run_key, withdraw_since
from amrg.generation.drafting import DraftOptions
from amrg.generation.engines.base import Engine, EngineDrifted
from amrg.generation.identifiers import name_patient
from amrg.generation.outputs import study_folder, withdraw_draft, write_draft
from amrg.imaging import ImagingError, Intake, in_order_of_date
from amrg.imaging.intake import read_files, read_files_apart
from amrg.models import ModelError


@dataclass(frozen=True)
class BulkOptions:
    """Where drafts are written and how; `retry_failed`: studies that failed in an earlier run are tried again."""

    folder: Path
    formats: tuple[str, ...]
    draft: DraftOptions = field(default_factory=DraftOptions)
    identify: bool = False
    retry_failed: bool = False


class UnwritableOutput(Exception):
    """A report or a record that cannot be written: no other could be, so the run ends. `error` says why."""

    def __init__(self, error: OSError) -> None:
        """Of the system's error."""
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Waited:
    """Seconds in which a process waited for images to be read, and for its engine; the rest of its time, it wrote."""

    images: float = 0.0
    engine: float = 0.0

    def __add__(self, other: Waited) -> Waited:
        """Both together."""
        return Waited(self.images + other.images, self.engine + other.engine)


@dataclass(frozen=True)
class TaskResult:
    """A task's record, whether an earlier run made it, and the drafts of this run by Study Instance UID."""

    task: StudyTask
    record: TaskRecord
    resumed: bool = False
    drafts: Mapping[str, Draft] = field(default_factory=dict)
    waited: Waited = Waited()


@dataclass
class _Open:
    """A task that is being worked on."""

    task: StudyTask
    record: TaskRecord
    earlier: int
    intake: Intake | None = None
    prepared: list[Prepared] = field(default_factory=list)
    error: Exception | None = None
    rows: list[StudyOutcome] = field(default_factory=list)
    drafts: dict[str, Draft] = field(default_factory=dict)
    waited: Waited = Waited()


Read = Callable[[Sequence[Path]], Intake]


class TaskDrafter:
    """Drafts tasks with one engine, `engine.max_batch` together, and reads the next ones meanwhile.

    Everything that it finishes is on disk.
    """

    def __init__(self, engine: Engine, options: BulkOptions, attempts: Attempts, read: Read = read_files) -> None:
        """Records are found by the engine and the options; `read` reads the files of a task.

        Those of a task that has ended a process are read in a process of their own: a decoder may have ended it.
        """
        self.engine, self.options, self._attempts, self._read_files = engine, options, attempts, read
        key = run_key(engine, options.draft, options.identify)
        self._store = RecordStore(options.folder, key, options.formats, options.retry_failed)

    def run(self, tasks: Iterable[StudyTask]) -> Iterator[TaskResult]:
        """A result a task, in an order of its own.

        Raises:
            UnwritableOutput: a report or a record cannot be written.
            ModelError: the engine is lost; `withdrawing` takes back what it drafted where it drifted.
        """
        ready: list[_Open] = []
        with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
            for group in self._groups(tasks):
                if isinstance(group, TaskResult):
                    yield group
                elif group[0].earlier:
                    # With nothing next to it, so that it is known which task it is if it ends this process too.
                    yield from self._draft_and_read(thread, ready, [])
                    ready = []
                    yield self._alone(group[0])
                else:
                    yield from self._draft_and_read(thread, ready, group)
                    ready = group
            yield from self._draft_and_read(thread, ready, [])
        self.engine.confirm()

    def _groups(self, tasks: Iterable[StudyTask]) -> Iterator[TaskResult | list[_Open]]:
        """The results of tasks that need no drafting, and the others in groups that the engine takes together."""
        group: list[_Open] = []
        for task in tasks:
            if (record := self._store.finished(task)) is not None:
                yield TaskResult(task, record, resumed=True)
                continue
            deaths = self._attempts.deaths(task.name)
            opened = _Open(task, self._store.new(task), deaths.count)
            if deaths.count >= MOST or deaths.timed_out:
                opened.rows += _set_aside(task, deaths)
                yield self._finish(opened)
            elif deaths.count:
                yield [opened]
            else:
                group.append(opened)
            if len(group) == max(1, self.engine.max_batch):
                yield group
                group = []
        if group:
            yield group

    def _draft_and_read(
        self, thread: ThreadPoolExecutor, ready: list[_Open], following: list[_Open]
    ) -> Iterator[TaskResult]:
        """The results of a group that is read, while the one after it is read in a thread; either may be empty."""
        if not (ready or following):
            return
        with self._attempts.working([o.task.name for o in (*ready, *following)], 0):
            reading = thread.submit(self._read, following)
            error = self._draft(ready)
            with _seconds() as waited:
                reading.result()
        if following:
            following[0].waited += Waited(images=waited[0])
        if error is None:
            yield from map(self._finish, ready)
        elif len(ready) == 1:
            yield self._failed(ready[0], error)
        else:  # a study never costs the others theirs, whatever fails over it
            yield from map(self._alone, ready)

    def _alone(self, failed: _Open) -> TaskResult:
        """The result of a task from its beginning, with no other next to it."""
        opened = _Open(failed.task, failed.record, failed.earlier)
        with self._attempts.working([opened.task.name], opened.earlier):
            with _seconds() as waited:
                self._read([opened])
            opened.waited += Waited(images=waited[0])
            error = self._draft([opened])
        return self._finish(opened) if error is None else self._failed(opened, error)

    def _read(self, group: Sequence[_Open]) -> None:
        """Read the studies of tasks, up to what the engine takes; what goes wrong over one is for `_draft` to raise."""
        for opened in group:
            try:
                opened.intake = (read_files_apart if opened.earlier else self._read_files)(opened.task.files)
                for study in in_order_of_date(opened.intake.studies):
                    opened.prepared.append(prepare_study(study, self.engine, self.options.draft))
            except Exception as error:
                opened.error = error

    def _draft(self, group: Sequence[_Open]) -> Exception | None:
        """Draft the studies of tasks; what went wrong over one of them, if anything did.

        Raises:
            UnwritableOutput: a report or a record cannot be written.
            ModelError: the engine is lost.
        """
        owners = [opened for opened in group for _ in opened.prepared]
        prepared = [one for opened in group for one in opened.prepared]
        try:
            for opened in group:
                if opened.error is not None:
                    raise opened.error
            for opened, outcome in zip(owners, draft_prepared(prepared, self.engine, self.options.draft), strict=True):
                opened.rows.append(self._row(outcome, opened))
                if isinstance(outcome, Drafted):
                    opened.waited += Waited(engine=outcome.seconds["generate"])
        except (UnwritableOutput, ModelError):
            raise
        except Exception as error:
            return error
        return None

    def _row(self, outcome: Outcome, opened: _Open) -> StudyOutcome:
        """What became of a study, written to its folder."""
        study = outcome.study
        row = StudyOutcome(
            study_instance_uid=study.study_instance_uid,
            status=StudyStatus.UNREADABLE,
            date="" if study.date is None else study.date.isoformat(),
            images=len(study.mammograms),
        )
        if isinstance(outcome, Drafted):
            try:
                return self._written(row, outcome, opened)
            except ImagingError as error:  # a view's file went while its study was drafted
                outcome = Unreadable(study, str(error))
        row = row.model_copy(update={"kind": type(outcome).__name__, "message": outcome.message})
        if not isinstance(outcome, Refused):
            there = study_folder(study, self.options.folder)
            status = StudyStatus.UNREADABLE if isinstance(outcome, Unreadable) else StudyStatus.UNANSWERED
            return row.model_copy(update={"status": status, "folder": there.name if there.is_dir() else ""})
        with _writing():
            saved = withdraw_draft(study, self.options.folder)
        changes = {"folder": saved.folder.name, "edited": saved.edited, "removed": saved.removed}
        return row.model_copy(update={"status": StudyStatus.REFUSED, **changes})

    def _written(self, row: StudyOutcome, outcome: Drafted, opened: _Open) -> StudyOutcome:
        options, study = self.options, outcome.study
        draft = name_patient(outcome.draft, study) if options.identify else outcome.draft
        with _writing():
            saved = write_draft(study, draft, options.folder, options.formats)
        opened.drafts[study.study_instance_uid] = draft
        written = {
            "status": StudyStatus.DRAFTED,
            "folder": saved.folder.name,
            "document": saved.document,
            "missing": tuple(f"{side}{view}" for side, view in draft.missing_views),
            "edited": saved.edited,
            "removed": saved.removed,
            "written": saved.written,
        }
        return row.model_copy(update=written)

    def _finish(self, opened: _Open) -> TaskResult:
        """Record a task."""
        intake = opened.intake or Intake(studies=(), set_aside=(), problems=())
        opened.rows += _without_view(opened)
        record = opened.record.model_copy(
            update={
                "rows": tuple(opened.rows),
                "set_aside": intake.set_aside,
                "problems": intake.problems,
                "batch_size": self.engine.max_batch,
            }
        )
        stored = [row.model_copy(update={"edited": (), "removed": (), "written": ()}) for row in record.rows]
        with _writing():
            self._store.write(opened.task, record.model_copy(update={"rows": tuple(stored)}))
            self._attempts.end(opened.task.name)
        return TaskResult(opened.task, record, drafts=opened.drafts, waited=opened.waited)

    def _failed(self, opened: _Open, error: Exception) -> TaskResult:
        """Record a task that an error ended; its other studies are drafted, each by itself."""
        if opened.error is None and len(opened.prepared) > 1:
            self._draft_each(opened)
        else:
            opened.rows += _failed(opened, error)
        return self._finish(opened)

    def _draft_each(self, opened: _Open) -> None:
        """Draft each study of a task by itself that has no row yet; one over which an error occurs has failed."""
        done = {row.study_instance_uid for row in opened.rows}
        with self._attempts.working([opened.task.name], opened.earlier):
            for one in opened.prepared:
                uid = (one.prepared.study if isinstance(one, Ready) else one.study).study_instance_uid
                if uid in done:
                    continue
                alone = replace(opened, prepared=[one], rows=[], waited=Waited())
                error = self._draft([alone])
                opened.rows += alone.rows
                opened.waited += alone.waited
                if error is not None:
                    opened.rows += [row for row in _failed(opened, error) if row.study_instance_uid == uid]


@contextmanager
def _seconds() -> Iterator[list[float]]:
    """A list that has the seconds that the block took, once it has ended."""
    seconds: list[float] = []
    start = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)


@contextmanager
def _writing() -> Iterator[None]:
    """Errors of writing as `UnwritableOutput`. Those of reading never come here as `OSError`: imaging names its own."""
    try:
        yield
    except OSError as error:
        raise UnwritableOutput(error) from error


@contextmanager
def withdrawing(folder: Path) -> Iterator[None]:
    """Where the engine drifts in the block, withdraw what any process drafted into a folder of reports after that.

    No process may draft into it any more when the block ends: what one writes later stays.

    Raises:
        EngineDrifted: it did; says how many drafts were withdrawn.
        UnwritableOutput: a draft cannot be removed.
    """
    try:
        yield
    except EngineDrifted as error:
        with _writing():
            count = withdraw_since(folder, error.since)
        raise error.withdrawing(f"of this run {counted(count, 'draft')}") from error


def _without_view(opened: _Open) -> Iterator[StudyOutcome]:
    """A row for every study of which no file is read as a view."""
    for study in opened.intake.without_view if opened.intake is not None else ():
        uid = study.study_instance_uid
        if study.unreadable:
            status, kind, why = StudyStatus.UNREADABLE, ImagingError.__name__, "no view of it can be read"
        else:
            status, kind, why = StudyStatus.NO_VIEW, "NoScreeningView", "it has no screening view"
        message = f"study {uid}: {why}: {study.reason}"
        yield StudyOutcome(study_instance_uid=uid, status=status, kind=kind, message=message)


def _set_aside(task: StudyTask, deaths: Deaths) -> Iterator[StudyOutcome]:
    """A row for every study of a task that ended its processes."""
    kind = "Timeout" if deaths.timed_out else "Crash"
    why = "took longer than the limit" if deaths.timed_out else f"ended {deaths.count} worker processes"
    return _rows(task, kind, f"its files {why}: set aside; look at them, then run with --retry-failed")


def _failed(opened: _Open, error: Exception) -> Iterator[StudyOutcome]:
    """A row for every study of a task that has none yet, of an error over it.

    Only an error of amrg's own is quoted: the text of another may quote the file.
    """
    quoted = " ".join(str(error).split()) if isinstance(error, AmrgError) else f"an error in amrg, {_where(error)}"
    without_view = opened.intake.without_view if opened.intake is not None else ()  # have rows of their own
    done = {row.study_instance_uid for row in opened.rows} | {study.study_instance_uid for study in without_view}
    rows = _rows(opened.task, type(error).__name__, quoted)
    yield from (row for row in rows if row.study_instance_uid not in done)


def _where(error: Exception) -> str:
    """An error's class, and the line of code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _rows(task: StudyTask, kind: str, message: str) -> Iterator[StudyOutcome]:
    for uid in task.studies or (f"of {task.files[0].name}",):
        yield StudyOutcome(
            study_instance_uid=uid, status=StudyStatus.FAILED, kind=kind, message=f"study {uid}: {message}"
        )
