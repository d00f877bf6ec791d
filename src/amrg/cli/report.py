"""`amrg report`: studies in, drafts out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amrg.cli.console import busy, complain, fail, note, out, print_json, quieten, say, writing
from amrg.cli.exits import Exit
from amrg.cli.study_input import AnswerOption, AsJson, StudyPath, answer_form, read_input, refuse_without_study
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from amrg.birads import AnswerForm, Report
    from amrg.generation import Drafted, DraftOptions, Engine, Outcome, Saved
    from amrg.imaging import Intake, Study


def _styles() -> list[str]:
    """Values of --style for the shell's completion."""
    from amrg.birads import Style

    return list(Style)


def report(
    path: StudyPath,
    folder: Annotated[Path, typer.Option("--out", help="Where reports are written, a folder a study.")] = Path(
        "out/report"
    ),
    model: Annotated[
        str | None, typer.Option(help="Folder or hub name of a model or adapter; the embedded one by default.")
    ] = None,
    style: Annotated[
        str, typer.Option(help="clinical, impression-first, dmid or cesm.", autocompletion=_styles)
    ] = "clinical",
    answer: AnswerOption = None,
    facility: Annotated[
        str | None, typer.Option(help="us: assessments and density in the words that 21 CFR 900.12 fixes.")
    ] = None,
    formats: Annotated[str | None, typer.Option("--format", help="Any of text,json,png; all by default.")] = None,
    truth: Annotated[Path | None, typer.Option(help="cases.jsonl of a phantom set, to compare the draft with.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Draft even what does not look like a mammogram.")] = False,
    identify: Annotated[
        bool, typer.Option("--identify", help="Name the patient in every output: name, PatientID, birth date.")
    ] = False,
    mastectomy: Annotated[
        str | None,
        typer.Option(help="right, left or both: the breasts removed from the patient of the one study at PATH."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draft the BI-RADS report of every study at PATH."""
    chosen, options = _formats(formats), _options(style, facility, force, mastectomy)
    results = _Results(folder, chosen, as_json, identify)
    with results.interruptible():
        intake = read_input(path)
        refuse_without_study(path, intake)
        if options.mastectomy and len(intake.studies) > 1:
            fail(Exit.USAGE, f"--mastectomy is of one study, {path.name} has {len(intake.studies)}; name one at a time")
        engine, results.truths = _load(model, truth, answer_form(answer))
        results.studies = intake.studies
        _draft(results, engine, options)
    if as_json:
        print_json({**results.document(), **_left_over(intake)})
    results.leave()
    if intake.problems:
        raise typer.Exit(Exit.INCOMPLETE)


def _options(style: str, facility: str | None, force: bool, mastectomy: str | None) -> DraftOptions:
    """How drafts are written; leaves with one line where an option has no such value."""
    from amrg.birads import FACILITY_STYLES, Facility, Laterality, Style
    from amrg.generation import DraftOptions

    if style not in tuple(Style):
        fail(Exit.USAGE, f"--style is {style!r}; expected {' or '.join(Style)}")
    if facility is not None and facility not in tuple(Facility):
        fail(Exit.USAGE, f"--facility is {facility!r}; expected {' or '.join(Facility)}")
    if facility is not None and style not in FACILITY_STYLES:
        fail(Exit.USAGE, f"--style {style} has no wording for --facility; expected {' or '.join(FACILITY_STYLES)}")
    removed = {"right": (Laterality.RIGHT,), "left": (Laterality.LEFT,), "both": tuple(Laterality), None: ()}
    if mastectomy not in removed:
        fail(Exit.USAGE, f"--mastectomy is {mastectomy!r}; expected right, left or both")
    return DraftOptions(
        Style(style),
        force,
        facility=None if facility is None else Facility(facility),
        mastectomy=removed[mastectomy],
    )


def _load(model: str | None, truth: Path | None, answer: AnswerForm | None) -> tuple[Engine, Mapping[str, Report]]:
    """The model and the truth of a phantom set; leaves with one line where either cannot be read."""
    with busy("loading the model"):
        quieten()
        from amrg.generation.engines.loading import load_engine
        from amrg.generation.truth import TruthError, load_truth
        from amrg.models import ModelError

        try:
            truths = load_truth(truth) if truth is not None else {}
            engine = load_engine(model, answer=answer)
        except ModelError as error:
            fail(Exit.NO_MODEL, str(error))
        except TruthError as error:
            fail(Exit.UNREADABLE, str(error))
    for line in engine.notes:
        complain(line)
    return engine, truths


def _draft(results: _Results, engine: Engine, options: DraftOptions) -> None:
    """Draft all studies, one after the other."""
    from amrg.generation import draft_studies

    count = len(results.studies)
    outcomes = draft_studies(results.studies, engine, options)
    for number in range(1, count + 1):
        with busy(f"drafting study {number} of {count}"):
            outcome = next(outcomes)
        results.add(outcome, f"STUDY {number} OF {count}" if count > 1 else None)


_FAILURES = (Exit.NOT_A_MAMMOGRAM, Exit.UNREADABLE, Exit.NO_ANSWER, Exit.INCOMPLETE, Exit.EDITED)
"""What may become of a study besides a draft of all of it; the first that happened is the exit code."""


_CODES = {"Refused": Exit.NOT_A_MAMMOGRAM, "Unreadable": Exit.UNREADABLE, "NotDrafted": Exit.NO_ANSWER}
"""The exit code of every outcome without a draft, by its class."""


@dataclass
class _Results:
    """What became of the studies: drafts are written and printed as they come, failures are reported at the end."""

    folder: Path
    formats: tuple[str, ...]
    as_json: bool
    identify: bool = False
    truths: Mapping[str, Report] = field(default_factory=dict)
    studies: tuple[Study, ...] = ()
    done: int = 0
    reports: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[Exit, list[dict[str, str]]] = field(default_factory=lambda: {code: [] for code in _FAILURES})

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Where a person interrupts, one line: what is done, what is not, how to resume; leaves with its exit code."""
        try:
            yield
        except KeyboardInterrupt:
            left = [study.study_instance_uid for study in self.studies[self.done :]]
            if self.as_json:
                print_json({**self.document(), "interrupted": left})
            if not self.studies:
                fail(Exit.INTERRUPTED, "interrupted before the first draft; nothing was written")
            drafts = f"{counted(len(self.reports), 'draft')} in {self.folder}" if self.reports else "no draft"
            fail(
                Exit.INTERRUPTED,
                f"interrupted: {self.done} of {counted(len(self.studies), 'study', 'studies')} done ({drafts}), "
                f"{len(left)} not; the next is {left[0] if left else 'none'}. Run the same command again: all are "
                "drafted anew with the same result, and edited files are left",
            )

    def add(self, outcome: Outcome, heading: str | None) -> None:
        """Write a draft, printed under a heading where there are several, or note why there is none."""
        from amrg.generation import Drafted
        from amrg.imaging import ImagingError

        if isinstance(outcome, Drafted):
            try:
                self._write(outcome, heading)
            except ImagingError as error:  # a view's file went while its study was drafted
                self._not_drafted(Exit.UNREADABLE, outcome.study, str(error))
        else:
            self._not_drafted(_CODES[type(outcome).__name__], outcome.study, outcome.message)
        self.done += 1

    def _write(self, drafted: Drafted, heading: str | None) -> None:
        from amrg.generation import name_patient, render_draft, write_draft
        from amrg.generation.truth import compare

        study = drafted.study
        draft = name_patient(drafted.draft, study) if self.identify else drafted.draft
        uid = study.study_instance_uid
        with writing(self.folder), busy("writing"):
            saved = write_draft(study, draft, self.folder, self.formats)
        self.reports.append(
            {
                "study_instance_uid": uid,
                "folder": saved.folder.name,
                "edited": saved.edited,
                "removed": saved.removed,
                "draft": draft.model_dump(mode="json"),
            }
        )
        if not self.as_json:
            if heading is not None:
                say(f"{heading}, {study.date or 'no date'}, {uid}", "bold")
            say(render_draft(draft))
            if uid in self.truths:
                out.print(compare(draft.report, self.truths[uid]))
            say(f"written to {saved.folder}", "dim")
        if saved.folder.name != uid:
            note(f"note: {self.folder / uid} has the draft of another patient with the same Study Instance UID")
        if draft.missing_views:
            views = ", ".join(f"{side}{view}" for side, view in draft.missing_views)
            message = f"study {uid}: {views} missing; a breast not seen in full is not cleared"
            self._note(Exit.INCOMPLETE, study, message)
        self._earlier(study, saved, "changed since amrg wrote it, so it is left as it is and is not this draft")

    def _not_drafted(self, code: Exit, study: Study, message: str) -> None:
        """Why a study gets no draft. An earlier one of a refused study is removed: this run does not stand by it."""
        from amrg.generation import study_folder, withdraw_draft

        self._note(code, study, message)
        if code is Exit.NOT_A_MAMMOGRAM:
            with writing(self.folder):
                saved = withdraw_draft(study, self.folder)
            self._earlier(
                study, saved, "of an earlier draft, but changed since, so it is left; this run refuses the study"
            )
        elif (there := study_folder(study, self.folder)).is_dir():
            note(f"left: {there}, an earlier draft of a study that has none now")

    def _earlier(self, study: Study, saved: Saved, why_left: str) -> None:
        """A line for every file of an earlier draft that was removed or left."""
        for name in saved.removed:
            note(f"removed: {saved.folder / name}, of an earlier draft")
        for name in saved.edited:
            remedy = "rename it, or name another --out, to have this draft written"
            self._note(Exit.EDITED, study, f"{saved.folder / name}: {why_left}; {remedy}")

    def _note(self, code: Exit, study: Study, message: str) -> None:
        self.failures[code].append({"study_instance_uid": study.study_instance_uid, "message": message})

    def document(self) -> dict[str, Any]:
        """All outcomes, for JSON."""
        kinds = {"refused": Exit.NOT_A_MAMMOGRAM, "unreadable": Exit.UNREADABLE, "unanswered": Exit.NO_ANSWER}
        return {"reports": self.reports, **{name: self.failures[code] for name, code in kinds.items()}}

    def leave(self) -> None:
        """A line on stderr for all that is not as it should be; leaves with the code of the first kind."""
        for entry in (entry for entries in self.failures.values() for entry in entries):
            complain(entry["message"])
        for code, entries in self.failures.items():
            if entries:
                raise typer.Exit(code)


def _formats(given: str | None) -> tuple[str, ...]:
    """The formats to write, in order; all of them where none is named."""
    from amrg.generation import FORMATS

    if given is None:
        return tuple(FORMATS)
    chosen = tuple(part.strip() for part in given.split(",") if part.strip())
    if not chosen or set(chosen) - set(FORMATS):
        fail(Exit.USAGE, f"--format is {given!r}; expected any of {','.join(FORMATS)}")
    return chosen


def _left_over(intake: Intake) -> dict[str, list[dict[str, str]]]:
    """What was set aside and what went wrong, for JSON."""
    return {
        "set_aside": [item.model_dump(mode="json") for item in intake.set_aside],
        "problems": [problem.model_dump(mode="json") for problem in intake.problems],
    }
