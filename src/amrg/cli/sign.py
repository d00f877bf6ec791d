"""`amrg sign`: a reader's signature at the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from amrg.cli.console import fail, note, say
from amrg.cli.exits import Exit
from amrg.cli.service import Config, ask_password, deliver, sessions_of, settings_of
from amrg.cli.studies import print_identity, print_report


def sign(
    study: Annotated[str, typer.Argument(help="The study: its Study Instance UID or accession number.")],
    login: Annotated[str, typer.Option("--as", help="Login of the reader who signs.")],
    acknowledge: Annotated[
        list[str] | None, typer.Option(help="Key of something that must be acknowledged, as shown; repeatable.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Sign without a question; nothing is acknowledged by that.")
    ] = False,
    config: Config = None,
) -> None:
    """Show the newest version of a report and make it final, in the name of a reader who gives the password.

    What breaks a rule of BI-RADS, what the text and the coded findings contradict, and images that arrived since the
    draft have to be acknowledged, by answering or with --acknowledge. The password is read from the terminal, or from
    the first line of standard input.
    """
    from amrg.service import signing
    from amrg.service.accounts import check_password
    from amrg.service.database.engine import reading
    from amrg.service.listing import find_study
    from amrg.service.versions import newest_version, read_version

    settings = settings_of(config)
    sessions = sessions_of(settings)
    user = check_password(sessions, login, ask_password(f"Password of {login}"))
    with reading(sessions) as session:
        found = find_study(session, study)
        row = newest_version(session, found)
    if row is None:
        fail(Exit.NOT_SIGNED, f"study {found.study_instance_uid}: no report yet, it is {found.state}")
    version = read_version(row)
    print_identity(found)
    print_report(version)
    agreed = set(acknowledge or ())
    for caution in signing.cautions(version, found, row.image_revision):
        note(f"to be acknowledged: {caution.message} [{caution.key}]")
        if not yes and caution.key not in agreed and typer.confirm("Acknowledge?", err=True):
            agreed.add(caution.key)
    if not yes and not typer.confirm(f"Sign version {row.number} as {user.person_name or user.name}?", err=True):
        fail(Exit.NOT_SIGNED, "not signed")
    read = signing.Read(found.study_instance_uid, row.number, user.name)
    with sessions.begin() as session:
        signed = signing.sign(session, read, agreed, deliver(settings))
    say(f"signed: version {signed.number}, {signed.status}, sha256 {signed.sha256}")
