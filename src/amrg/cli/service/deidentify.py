"""`amrg deidentify`: studies of the service for research, without what says whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amrg.cli.console import complain, fail, print_json, refuse_unwritable, say, writing
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson
from amrg.cli.service.shared import Config, ask_password, sessions_of, settings_of
from amrg.cli.service.studies import named_state
from amrg.core.plurals import counted

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker


def deidentify(
    folder: Annotated[Path, typer.Option("--out", help="A new or empty folder.")],
    login: Annotated[str, typer.Option("--as", help="Login of the administrator who exports.")],
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="[STUDY]...", help="Study Instance UIDs or accession numbers.")
    ] = None,
    state: Annotated[str, typer.Option(help="All studies of this state instead: signed or drafted.")] = "",
    project: Annotated[str, typer.Option(help="Pseudonyms are the same within a project, and in no other.")] = "",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Export studies for research: images and reports without names, numbers, dates and free text.

    Images are de-identified by DICOM's basic profile (PS3.15 Annex E), with dates moved by one number of days a
    patient. A study with an image that may have text in its pixels is skipped. The folder can be imported with
    `amrg data import generic`.
    """
    from amrg.service.accounts import check_password
    from amrg.service.research.exporting import ResearchExport

    if bool(studies) == bool(state):
        fail(Exit.USAGE, "name studies, or all of a state with --state signed or --state drafted")
    settings = settings_of(config)
    sessions = sessions_of(settings)
    user = check_password(sessions, login, ask_password(f"Password of {login}"))
    uids = _uids(sessions, studies or [], state)
    refuse_unwritable(folder)
    with writing(folder):
        done = list(ResearchExport(settings, sessions, user.name, folder, project).run(uids))
    skipped = [one for one in done if one.skipped]
    for one in skipped:
        complain(f"study {one.study_instance_uid}: skipped: {one.skipped}")
    if as_json:
        print_json({"folder": str(folder), "studies": [vars(one) for one in done]})
    else:
        say(f"{folder}: {counted(len(done) - len(skipped), 'study', 'studies')}, {len(skipped)} skipped")
    if skipped:
        raise typer.Exit(Exit.INCOMPLETE)


def _uids(sessions: sessionmaker[Session], named: list[str], state: str) -> list[str]:
    from amrg.service.database.engine import reading
    from amrg.service.listing import find_study
    from amrg.service.research.exporting import studies_in_state

    with reading(sessions) as session:
        if state:
            return studies_in_state(session, named_state(state))
        return list(dict.fromkeys(find_study(session, name).study_instance_uid for name in named))
