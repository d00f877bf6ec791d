"""`amrg sign`: a reader's signature at the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from amrg.cli.console import fail, note, say
from amrg.cli.exits import Exit
from amrg.cli.service.shared import Config, ask_password, deliver, sessions_of, settings_of
from amrg.cli.service.studies import print_identity, print_report


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

    What breaks a rule of BI-RADS, what the text states otherwise than the coded facts, what is missing, and images that
    arrived since the draft have to be acknowledged, by answering or with --acknowledge. The password is read from the
    terminal, or from the first line of standard input.
    """
    from amrg.service import signing
    from amrg.service.accounts import check_password
    from amrg.service.database.engine import reading
    from amrg.service.listing import find_study

    settings = settings_of(config)
    sessions = sessions_of(settings)
    user = check_password(sessions, login, ask_password(f"Password of {login}"))
    with reading(sessions) as session:
        found = find_study(session, study)
    with sessions.begin() as session:
        review = signing.show_to_sign(session, found.study_instance_uid, user.name)
    print_identity(found)
    print_report(review.version)
    agreed = set(acknowledge or ())
    for caution in review.cautions:
        note(f"to be acknowledged: {caution.message} [{caution.key}]")
    if unknown := sorted(agreed - {caution.key for caution in review.cautions}):
        fail(Exit.NOT_SIGNED, f"not signed: --acknowledge {unknown[0]}: nothing has this key; give those shown above")
    if not yes:
        agreed |= {c.key for c in review.cautions if c.key not in agreed and _confirmed(f"Acknowledge {c.key}?")}
        if not _confirmed(f"Sign version {review.number} as {user.person_name or user.name}?"):
            fail(Exit.NOT_SIGNED, "not signed")
    read = signing.Read(found.study_instance_uid, review.number, user.name)
    with sessions.begin() as session:
        signed = signing.sign(session, read, agreed, deliver(settings))
    say(f"signed: version {signed.number}, {signed.status}, sha256 {signed.sha256}")


def _confirmed(question: str) -> bool:
    """A yes or no at the terminal; leaves with one line where nobody answers."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        note("")
        fail(Exit.NOT_SIGNED, "not signed: no answer; --yes signs without a question, --acknowledge KEY what is shown")
