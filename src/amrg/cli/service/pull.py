"""`amrg pull`: studies from a PACS, for the service to fetch and draft."""

from __future__ import annotations

from typing import Annotated

import typer

from amrg.cli.console import fail, say
from amrg.cli.exits import Exit
from amrg.cli.service.shared import Config, actor, sessions_of, settings_of


def pull(
    source: Annotated[str, typer.Option("--from", help="The source, by its name in the settings.")],
    study: Annotated[str, typer.Argument(metavar="[STUDY_UID]", help="The study, by its Study Instance UID.")] = "",
    accession: Annotated[str, typer.Option(help="All studies of an accession number.")] = "",
    patient_id: Annotated[str, typer.Option(help="All studies of a PatientID.")] = "",
    config: Config = None,
) -> None:
    """Have the service fetch studies from a source and draft them.

    It is a job of the service, which must run; the same command again says how far it is, or runs it again when it has
    ended. What is here already is not sent again.
    """
    from amrg.imaging.grouping import is_uid
    from amrg.service.pulling.asking import StudyQuery
    from amrg.service.pulling.requesting import queue_pull, source_of

    if sum(map(bool, (study, accession, patient_id))) != 1:
        fail(Exit.USAGE, "name what to pull by one of STUDY_UID, --accession and --patient-id")
    if study and not is_uid(study):
        fail(Exit.USAGE, f"STUDY_UID is {study[:64]!r}; expected digits and dots, 64 at most (PS3.5 9.1)")
    settings = settings_of(config)
    source_of(settings, source)
    query = StudyQuery(study, accession.strip(), patient_id.strip())
    with sessions_of(settings).begin() as session:
        job = queue_pull(session, source, query, actor())
        tried = f", attempt {job.attempts}" if job.attempts else ""
        say(f"job {job.id}: {job.state}{tried}{': ' * bool(job.error)}{job.error}")
