"""PATH of `amrg report` and `amrg inspect`: files to studies, with a line for all that is no study."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.console import busy, fail, note
from amrg.cli.exits import Exit

if TYPE_CHECKING:
    from amrg.birads import AnswerForm
    from amrg.imaging import Intake

StudyPath = Annotated[Path, typer.Argument(metavar="PATH", help="Folder, zip, DICOMDIR or single file.")]


def absolute_model(model: str | None) -> str | None:
    """A model's folder as other machines find it; a hub name as it is."""
    return str(Path(model).resolve()) if model is not None and Path(model).exists() else model


def answer_form(given: str | None) -> AnswerForm | None:
    """The form of answer that is requested; leaves with one line where there is no such form."""
    from amrg.birads import AnswerForm

    if given is not None and given not in tuple(AnswerForm):
        fail(Exit.USAGE, f"--answer is {given!r}; expected {' or '.join(AnswerForm)}")
    return None if given is None else AnswerForm(given)


def read_input(path: Path) -> Intake:
    """What is at a path, studies in order of date; leaves with one line where the path itself cannot be read."""
    with busy("reading"):
        from amrg.imaging import ImagingError, in_order_of_date, read_studies

        try:
            intake = read_studies(path)
        except ImagingError as error:
            fail(Exit.UNREADABLE, str(error))
    return intake.model_copy(update={"studies": tuple(in_order_of_date(intake.studies))})


def refuse_without_study(path: Path, intakes: Iterable[Intake]) -> None:
    """Leave where there is nothing to report on, with a line for every file that was read."""
    read = list(intakes)
    if any(intake.studies for intake in read):
        return
    problems = [problem for intake in read for problem in intake.problems]
    for problem in problems:
        note(problem.line(path))
    for item in (item for intake in read for item in intake.set_aside):
        note(item.line(path))
    if problems:
        fail(Exit.UNREADABLE, f"{path.name}: nothing could be read: {problems[0].message}")
    fail(Exit.NOTHING_TO_REPORT, f"{path.name}: no screening view; `amrg inspect` lists what was found")
