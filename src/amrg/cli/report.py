"""`amrg report` and `amrg inspect`: studies in, drafts or a contact sheet out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from amrg.cli.console import busy, complain, err, fail, out, print_json, quieten, writing
from amrg.cli.exits import Exit

if TYPE_CHECKING:
    from amrg.birads import Report
    from amrg.generation import Drafted, Outcome
    from amrg.imaging import Intake, Mammogram, Study

StudyPath = Annotated[Path, typer.Argument(help="Folder, zip, DICOMDIR or single file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def report(
    path: StudyPath,
    folder: Annotated[Path, typer.Option("--out", help="Where reports are written, a folder a study.")] = Path(
        "out/report"
    ),
    model: Annotated[
        str | None, typer.Option(help="Folder or hub name of a model or adapter; the embedded one by default.")
    ] = None,
    style: Annotated[str, typer.Option(help="clinical, dmid or impression-first.")] = "clinical",
    facility: Annotated[
        str | None, typer.Option(help="us: assessments and density in the words that 21 CFR 900.12 fixes.")
    ] = None,
    formats: Annotated[str | None, typer.Option("--format", help="Any of text,json,png; all by default.")] = None,
    truth: Annotated[Path | None, typer.Option(help="cases.jsonl of a phantom set, to compare the draft with.")] = None,
    force: Annotated[bool, typer.Option(help="Draft even outside the model's domain.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draft the BI-RADS report of every study at PATH."""
    chosen = _formats(formats)
    intake = _intake(path)
    with busy("loading the model"):
        quieten()
        from amrg.birads import Facility, Style
        from amrg.generation import DraftOptions, draft_studies
        from amrg.generation.engines.local import load_engine
        from amrg.generation.truth import TruthError, load_truth
        from amrg.models import ModelError

        if style not in tuple(Style):
            fail(Exit.USAGE, f"--style is {style!r}; expected {' or '.join(Style)}")
        if facility is not None and facility not in tuple(Facility):
            fail(Exit.USAGE, f"--facility is {facility!r}; expected {' or '.join(Facility)}")
        if facility is not None and style == Style.DMID:
            fail(Exit.USAGE, "--style dmid has no wording for --facility; expected clinical or impression-first")
        try:
            truths = load_truth(truth) if truth is not None else {}
            engine = load_engine(model)
        except ModelError as error:
            fail(Exit.NO_MODEL, str(error))
        except TruthError as error:
            fail(Exit.UNREADABLE, str(error))
    results = _Results(folder, chosen, truths, as_json)
    studies = sorted(intake.studies, key=_by_date)
    outcomes = draft_studies(
        studies, engine, DraftOptions(Style(style), force, facility=None if facility is None else Facility(facility))
    )
    for number in range(1, len(studies) + 1):
        with busy(f"drafting study {number} of {len(studies)}"):
            outcome = next(outcomes)
        results.add(outcome, f"STUDY {number} OF {len(studies)}" if len(studies) > 1 else None)
    if as_json:
        print_json({**results.document(), **_left_over(intake)})
    results.leave()
    if intake.problems:
        raise typer.Exit(Exit.INCOMPLETE)


def _by_date(study: Study) -> tuple[bool, str, str, str]:
    """Earliest first, those without a date last."""
    date = "" if study.date is None else study.date.isoformat()
    return study.date is None, date, study.patient_key, study.study_instance_uid


_FAILURES = (Exit.OUTSIDE_DOMAIN, Exit.UNREADABLE, Exit.INCOMPLETE, Exit.EDITED)
"""What may become of a study besides a draft of all of it; the first that happened is the exit code."""


@dataclass
class _Results:
    """What became of the studies: drafts are written and printed as they come, failures are reported at the end."""

    folder: Path
    formats: tuple[str, ...]
    truths: Mapping[str, Report]
    as_json: bool
    reports: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[Exit, list[dict[str, str]]] = field(default_factory=lambda: {code: [] for code in _FAILURES})

    def add(self, outcome: Outcome, heading: str | None) -> None:
        """Write a draft, printed under a heading where there are several, or note why there is none."""
        from amrg.generation import Drafted, Refused
        from amrg.imaging import ImagingError

        if isinstance(outcome, Drafted):
            try:
                self._write(outcome, heading)
            except ImagingError as error:  # a view's file went while its study was drafted
                self._note(Exit.UNREADABLE, outcome.study, str(error))
        else:
            code = Exit.OUTSIDE_DOMAIN if isinstance(outcome, Refused) else Exit.UNREADABLE
            self._note(code, outcome.study, outcome.message)

    def _write(self, drafted: Drafted, heading: str | None) -> None:
        from amrg.generation import render_draft, write_draft
        from amrg.generation.truth import compare

        study, draft = drafted.study, drafted.draft
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
                out.print(f"{heading}, {study.date or 'no date'}, {uid}", style="bold", markup=False, soft_wrap=True)
            out.print(render_draft(draft), markup=False, soft_wrap=True)
            if uid in self.truths:
                out.print(compare(draft.report, self.truths[uid]))
            out.print(f"written to {saved.folder}", style="dim", markup=False, soft_wrap=True)
        if draft.missing_views:
            views = ", ".join(f"{side}{view}" for side, view in draft.missing_views)
            message = f"study {uid}: {views} missing; a breast not seen in full is not cleared"
            self._note(Exit.INCOMPLETE, study, message)
        for name in saved.removed:
            err.print(f"removed: {saved.folder / name}, of an earlier draft", markup=False, soft_wrap=True)
        for name in saved.edited:
            self._note(Exit.EDITED, study, _edited(saved.folder / name))

    def _note(self, code: Exit, study: Study, message: str) -> None:
        self.failures[code].append({"study_instance_uid": study.study_instance_uid, "message": message})

    def document(self) -> dict[str, Any]:
        """All outcomes, for JSON."""
        refused, unreadable = self.failures[Exit.OUTSIDE_DOMAIN], self.failures[Exit.UNREADABLE]
        return {"reports": self.reports, "refused": refused, "unreadable": unreadable}

    def leave(self) -> None:
        """A line on stderr for all that is not as it should be; leaves with the code of the first kind."""
        for entry in (entry for entries in self.failures.values() for entry in entries):
            complain(entry["message"])
        for code, entries in self.failures.items():
            if entries:
                raise typer.Exit(code)


def _edited(file: Path) -> str:
    """The one sentence on a file that a person changed."""
    return (
        f"{file}: changed since amrg wrote it, so it is left as it is and is not this draft; "
        "rename it, or name another --out, to have this draft written"
    )


def inspect(
    path: StudyPath,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for contact sheets; without it none are drawn.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what is read from PATH: views of each study, files set aside with the reason, unreadable files."""
    from amrg.imaging import ImagingError, contact_sheet

    intake = _intake(path, quiet=True)
    sheets = []
    if folder is not None:
        with writing(folder), busy("drawing contact sheets"):
            folder.mkdir(parents=True, exist_ok=True)
            for number, study in enumerate(intake.studies, 1):
                try:
                    sheet = contact_sheet(study)
                except ImagingError as error:
                    fail(Exit.UNREADABLE, str(error))
                sheets.append(folder / f"study-{number}.png")
                sheet.save(sheets[-1])
    if as_json:
        print_json({**intake.model_dump(mode="json"), "sheets": [str(s) for s in sheets]})
    else:
        _show(intake, sheets)
    if intake.problems and not intake.studies and not intake.set_aside:
        fail(Exit.UNREADABLE, f"{path.name}: nothing could be read; see the problems above")


def _show(intake: Intake, sheets: list[Path]) -> None:
    """Studies view by view, what was set aside, what went wrong, where the contact sheets are."""
    for number, study in enumerate(intake.studies, 1):
        out.print(_views(number, study))
        for line in (*map(_evidence, study.mammograms), *study.remarks()):
            out.print(f"study {number}: {line}", markup=False, soft_wrap=True)
    for item in intake.set_aside:
        out.print(f"set aside: {item.file}: {item.reason}", markup=False)
    for problem in intake.problems:
        out.print(f"problem: {problem.message}", markup=False)
    for sheet in sheets:
        out.print(f"contact sheet: {sheet}", markup=False)


def _formats(given: str | None) -> tuple[str, ...]:
    """The formats to write, in order; all of them where none is named."""
    from amrg.generation import FORMATS

    if given is None:
        return tuple(FORMATS)
    chosen = tuple(part.strip() for part in given.split(",") if part.strip())
    if not chosen or set(chosen) - set(FORMATS):
        fail(Exit.USAGE, f"--format is {given!r}; expected any of {','.join(FORMATS)}")
    return chosen


def _intake(path: Path, quiet: bool = False) -> Intake:
    """What is at a path; leaves with one line where there is nothing to report on."""
    with busy("reading"):
        from amrg.imaging import ImagingError, read_studies

        try:
            intake = read_studies(path)
        except ImagingError as error:
            fail(Exit.UNREADABLE, str(error))
    if quiet:
        return intake
    for problem in intake.problems:
        err.print(f"problem: {problem.message}", markup=False)
    for item in intake.set_aside:
        err.print(f"set aside: {item.file}: {item.reason}", markup=False)
    if not intake.studies and intake.problems:
        fail(Exit.UNREADABLE, f"{path.name}: nothing could be read: {intake.problems[0].message}")
    if not intake.studies:
        fail(Exit.NOTHING_TO_REPORT, f"{path.name}: no screening view; `amrg inspect` lists what was found")
    return intake


def _left_over(intake: Intake) -> dict[str, list[dict[str, str]]]:
    """What was set aside and what went wrong, for JSON."""
    return {
        "set_aside": [item.model_dump(mode="json") for item in intake.set_aside],
        "problems": [problem.model_dump(mode="json") for problem in intake.problems],
    }


def _views(number: int, study: Study) -> Table:
    """A table of one study's views."""
    from amrg.imaging import missing_views

    missing = ", ".join(f"{side}{view}" for side, view in missing_views(study)) or "none"
    grouped = f", grouped by {study.grouped_by}" if study.grouped_by else ""
    title = f"study {number}{grouped}, missing views: {missing}"
    table = Table("view", "kind", "pixels", "spacing mm", "intent", "notes", title=title)
    for m in study.mammograms:
        spacing = f"{m.pixel_spacing_mm[0]:.3f} x {m.pixel_spacing_mm[1]:.3f}" if m.pixel_spacing_mm else "unknown"
        intent = m.intent.value.lower()
        size = f"{m.rows} x {m.columns}"
        table.add_row(f"{m.laterality}{m.view}", m.kind.value, size, spacing, intent, "; ".join(m.notes))
    return table


def _evidence(m: Mammogram) -> str:
    """How side and view of a mammogram were settled, and by which sources."""
    parts = []
    for what, judgement in (("side", m.side_evidence), ("view", m.view_evidence)):
        if judgement is not None:
            parts.append(f"{what} {judgement.verdict} ({judgement.line})")
    return f"{m.laterality}{m.view}: {'; '.join(parts)}"
