"""What `amrg report` prints of every study as it comes: nothing is held, so memory is the same for any number."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, NoReturn

import typer

from amrg.cli.console import complain, note, out, say
from amrg.cli.exits import Exit
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.birads import Draft, Report
    from amrg.generation.bulk.drafting import TaskResult
    from amrg.generation.bulk.records import StudyOutcome

FAILURES = (
    Exit.FAILED,
    Exit.NOT_A_MAMMOGRAM,
    Exit.UNREADABLE,
    Exit.NO_ANSWER,
    Exit.INCOMPLETE,
    Exit.EDITED,
)
"""What may become of a study besides a draft of all of it; the first that happened is the exit code."""
_CODES = {
    "refused": Exit.NOT_A_MAMMOGRAM,
    "unreadable": Exit.UNREADABLE,
    "unanswered": Exit.NO_ANSWER,
    "no_view": Exit.INCOMPLETE,
    "failed": Exit.FAILED,
}
"""The exit code of every status of a study without a draft."""
_LISTS = (*_CODES, "set_aside", "problems")


class JsonStream:
    """One JSON document on stdout: `reports` are written as they come, the other lists wait in files until its end."""

    def __init__(self) -> None:
        """A document that is not begun yet."""
        self._is_begun = False
        self._files = ExitStack()
        self._lists: dict[str, IO[str]] = {
            name: self._files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115
            for name in _LISTS
        }

    def close(self) -> None:
        """Remove the files."""
        self._files.close()

    def add_report(self, entry: Mapping[str, Any]) -> None:
        """Write a report."""
        sys.stdout.write("," if self._is_begun else '{"reports": [')
        self._is_begun = True
        sys.stdout.write("\n" + json.dumps(entry, indent=2, ensure_ascii=False, default=str))

    def add(self, name: str, entry: Mapping[str, Any]) -> None:
        """An entry of another list."""
        self._lists[name].write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")

    def end(self, more: Mapping[str, Any]) -> None:
        """Write the lists, and what more there is of the whole run."""
        sys.stdout.write("]" if self._is_begun else '{"reports": []')
        for name, entries in self._lists.items():
            entries.seek(0)
            sys.stdout.write(f',\n"{name}": [')
            for number, line in enumerate(entries):
                sys.stdout.write((",\n" if number else "\n") + line.rstrip("\n"))
            sys.stdout.write("]")
        for name, value in more.items():
            sys.stdout.write(f',\n"{name}": {json.dumps(value)}')
        sys.stdout.write("}\n")


@dataclass
class ReportResults:
    """Prints and counts results of what is at `path`. `studies` is how many the files name, `truths` are from `truth`.

    Used in a `with` block: an interruption leaves it as one line, that says what is done, and its exit code.
    """

    path: Path
    folder: Path
    studies: int = 0
    json: JsonStream | None = None
    truth: Path | None = None
    truths: Mapping[str, Report] = field(default_factory=dict)
    done: int = 0
    drafts: int = 0
    resumed: int = 0
    no_view: int = 0
    images_seconds: float = 0.0
    engine_seconds: float = 0.0
    problem: str = ""
    codes: set[Exit] = field(default_factory=set)

    def __enter__(self) -> ReportResults:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._interrupted()
        if self.json is not None:
            self.json.close()

    def _interrupted(self) -> NoReturn:
        if self.json is not None:
            self.json.end({"interrupted": True})
            self.json.close()
        drafts = f"{counted(self.drafts, 'draft')} in {self.folder}" if self.drafts else "no draft"
        done = f"{self.done} of {counted(self.studies, 'study', 'studies')} done ({drafts})"
        if not self.studies:
            done = "before the first draft; nothing was written"
        complain(f"interrupted: {done}. Run the same command again: finished studies are not drafted again")
        raise typer.Exit(Exit.INTERRUPTED) from None

    def add(self, result: TaskResult) -> None:
        """Print what became of a task."""
        self.images_seconds += result.waited.images
        self.engine_seconds += result.waited.engine
        for problem in result.record.problems:
            self.problem = self.problem or problem.message
            note(problem.line(self.path))
            self._list("problems", problem.model_dump(mode="json"))
        for item in result.record.set_aside:
            note(item.line(self.path))
            self._list("set_aside", item.model_dump(mode="json"))
        for row in result.record.rows:
            self.done += 1
            if row.document:
                self.drafts += 1
                self.resumed += result.resumed
                self._print(row, result)
            else:
                self._print_failed(row)
            self._print_earlier(row, result.resumed)

    def _print(self, row: StudyOutcome, result: TaskResult) -> None:
        """A draft, under a heading where there are several studies."""
        draft = result.drafts.get(row.study_instance_uid) or self._stored(row, result.resumed)
        uid, folder = row.study_instance_uid, self.folder / row.folder
        if self.json is not None:
            entry = row.model_dump(include={"study_instance_uid", "folder", "images", "edited", "removed", "written"})
            document = draft and draft.model_dump(mode="json")
            self.json.add_report({**entry, "resumed": result.resumed, "draft": document})
        else:
            self._say(row, draft)
        if self.truth is not None and uid not in self.truths:
            note(f"note: study {uid} is not in the truth {self.truth.name}: nothing to compare its draft with")
        if row.folder != uid:
            note(f"note: {self.folder / uid} has the draft of another patient with the same Study Instance UID")
        if row.missing:
            self._complain(
                Exit.INCOMPLETE,
                f"study {uid}: {', '.join(row.missing)} missing; a breast not seen in full is not cleared",
            )
        if result.resumed:
            note(f"already drafted: {folder}, with the same model, options and files; it is left as it is")

    def _say(self, row: StudyOutcome, draft: Draft | None) -> None:
        from amrg.generation import render_draft
        from amrg.generation.truth import compare

        uid = row.study_instance_uid
        if self.studies > 1:
            say(f"STUDY {self.done} OF {self.studies}, {row.date or 'no date'}, {uid}", "bold")
        if draft is not None:
            say(render_draft(draft))
            if uid in self.truths:
                out.print(compare(draft.report, self.truths[uid]))
        if row.written:
            say(f"written to {self.folder / row.folder}", "dim")

    def _print_failed(self, row: StudyOutcome) -> None:
        """Why a study got no draft."""
        self._complain(_CODES[row.status.value], row.message)
        self.no_view += row.status.value == "no_view"
        entry = {"study_instance_uid": row.study_instance_uid, "kind": row.kind, "message": row.message}
        self._list(row.status.value, entry)
        if row.folder and _CODES[row.status.value] is not Exit.NOT_A_MAMMOGRAM:
            note(f"left: {self.folder / row.folder}, an earlier draft of a study that has none now")

    def _print_earlier(self, row: StudyOutcome, resumed: bool) -> None:
        """A line for every file of an earlier draft that was removed or left."""
        why_left = "changed since amrg wrote it, so it is left as it is and is not this draft"
        if not row.document:
            why_left = "of an earlier draft, but changed since, so it is left; this run refuses the study"
        elif not (row.written or resumed):
            why_left = (
                "changed since amrg wrote it, so it and the other files of its draft are left as they are, and this "
                "draft is not written"
            )
        for name in row.removed:
            note(f"removed: {self.folder / row.folder / name}, of an earlier draft")
        for name in row.edited:
            remedy = "rename it, or name another --out, to have this draft written"
            self._complain(Exit.EDITED, f"{self.folder / row.folder / name}: {why_left}; {remedy}")

    def _stored(self, row: StudyOutcome, resumed: bool) -> Draft | None:
        """A draft that is not at hand, from its `report.json` where that is as it was written."""
        from amrg.birads import Draft
        from amrg.generation.outputs import FORMATS

        name = FORMATS["json"].file
        path = self.folder / row.folder / name
        if name not in row.written and not (resumed and name not in row.edited and path.is_file()):
            return None
        return Draft.model_validate_json(path.read_bytes())

    def _complain(self, code: Exit, message: str) -> None:
        self.codes.add(code)
        complain(message)

    def _list(self, name: str, entry: Mapping[str, Any]) -> None:
        if self.json is not None:
            self.json.add(name, entry)

    def leave(self, path: Path) -> None:
        """End the document, say how many studies have no draft; leave with the code of the first kind of failure."""
        if self.json is not None:
            self.json.end({})
        if self.done == self.no_view:
            if self.problem:
                complain(f"{path.name}: nothing could be read: {self.problem}")
                raise typer.Exit(Exit.UNREADABLE)
            complain(f"{path.name}: no screening view; `amrg inspect` lists what was found")
            raise typer.Exit(Exit.NOTHING_TO_REPORT)
        if self.studies > 1:
            note(f"{counted(self.drafts, 'draft')}, {self.resumed} of them from an earlier run; {self._without()}")
            waited = f"waited {self.images_seconds:.1f} s for images, {self.engine_seconds:.1f} s for the model"
            note(f"{waited}, all workers together")
        for code in FAILURES:
            if code in self.codes:
                raise typer.Exit(code)
        if self.problem:
            raise typer.Exit(Exit.INCOMPLETE)

    def _without(self) -> str:
        """How many studies have no draft, and where their rows are."""
        failed = self.done - self.drafts
        if not failed:
            return "no study without one"
        return f"{counted(failed, 'study', 'studies')} without one, listed in {self.folder / 'failed.jsonl'}"
