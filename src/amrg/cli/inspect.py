"""`amrg inspect`: what is read from a path, without a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.console import ResultTable, busy, fail, out, print_json, say, writing
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson
from amrg.cli.study_input import StudyPath, read_input
from amrg.core.files import atomic_write

if TYPE_CHECKING:
    from amrg.imaging import Intake, Mammogram, Study


def inspect(
    path: StudyPath,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for contact sheets; without it none are drawn.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what is read from PATH: studies in order of date with views and priors, files set aside with the reason."""
    from amrg.imaging import ImagingError, contact_sheet

    intake = read_input(path)
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
                with atomic_write(sheets[-1]) as partial:
                    sheet.save(partial, format="PNG")
    if as_json:
        print_json({**intake.model_dump(mode="json"), "sheets": [str(s) for s in sheets]})
    else:
        _show(path, intake, sheets)
    if intake.problems and not intake.studies and not intake.set_aside:
        fail(Exit.UNREADABLE, f"{path.name}: nothing could be read; see the problems above")


def _show(path: Path, intake: Intake, sheets: list[Path]) -> None:
    """Studies view by view, what was set aside, what went wrong, where the contact sheets are."""
    numbers = {study.study_instance_uid: number for number, study in enumerate(intake.studies, 1)}
    for number, study in enumerate(intake.studies, 1):
        say(f"study {number} of {len(intake.studies)}: {_identifiers(study)}", "bold")
        out.print(_views(path, study))
        lines = (*_prior(study, numbers), _completeness(study), *map(_evidence, study.mammograms), *study.remarks())
        for line in lines:
            say(f"study {number}: {line}")
        say("")
    for item in intake.set_aside:
        say(item.line(path))
    for problem in intake.problems:
        say(problem.line(path))
    for sheet in sheets:
        say(f"contact sheet: {sheet}")


def _identifiers(study: Study) -> str:
    """What maps a study to the archive's: its date, accession number, patient key and UID."""
    date = "no date" if study.date is None else study.date.isoformat()
    accession = f"accession {study.accession_number}" if study.accession_number else "no accession number"
    return f"{date}, {accession}, patient key {study.patient_key}, {study.study_instance_uid}"


def _prior(study: Study, numbers: dict[str, int]) -> Iterator[str]:
    """The prior and what becomes of it. Why an earlier exam is no prior is in the study's remarks."""
    if study.prior is not None:
        number = numbers[study.prior.study_instance_uid]
        yield (
            f"prior: study {number} of {study.prior.date}, the same patient; not used in the draft, "
            "because no model here compares studies"
        )


def _completeness(study: Study) -> str:
    """How the study was put together, and what it lacks."""
    from amrg.imaging import missing_views

    missing = ", ".join(f"{side}{view}" for side, view in missing_views(study)) or "none"
    return f"missing views: {missing}" + (f"; grouped by {study.grouped_by}" if study.grouped_by else "")


def _views(path: Path, study: Study) -> ResultTable:
    """A table of one study's views. What was done with them is in the study's remarks."""
    from amrg.imaging import Intent

    table = ResultTable("view", "file", "kind", "pixels", "spacing mm")
    for m in study.mammograms:
        spacing = " x ".join(dict.fromkeys(f"{mm:.3f}" for mm in m.pixel_spacing_mm or ())) or "unknown"
        kind = m.kind.value + (", for processing" if m.intent is Intent.FOR_PROCESSING else "")
        file = m.source.relative_to(path) if path.is_dir() and m.source.is_relative_to(path) else m.source.name
        table.add_row(f"{m.laterality}{m.view}", str(file), kind, f"{m.rows} x {m.columns}", spacing)
    return table


def _evidence(m: Mammogram) -> str:
    """How side and view of a mammogram were settled, and by which sources."""
    parts = []
    for what, judgement in (("side", m.side_evidence), ("view", m.view_evidence)):
        if judgement is not None:
            parts.append(f"{what} {judgement.verdict} ({judgement.line})")
    return f"{m.laterality}{m.view}: {'; '.join(parts)}"
