"""`amrg users`: accounts of people and programs, on the database of the service."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer

from amrg.cli.completion import ROLES
from amrg.cli.console import ResultTable, fail, note, out, print_json, say
from amrg.cli.exits import Exit
from amrg.cli.options import AsJson
from amrg.cli.service.shared import Config, actor, ask_password, new_sessions_of, sessions_of, settings_of

app = typer.Typer(
    help="Accounts of the service: people who read and sign, administrators, programs.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The login.")]
Role = Annotated[str, typer.Option(help="reader (signs), administrator, or service (a program).", autocompletion=ROLES)]


@app.command("add")
def add(
    name: Name,
    role: Role = "reader",
    person_name: Annotated[str, typer.Option(help="Name in signatures, as DICOM writes it: Doe^Jane.")] = "",
    organization: Annotated[str, typer.Option(help="Organization in signatures.")] = "",
    config: Config = None,
) -> None:
    """Add an account; a person's password is asked for, a program gets a token with `amrg users token`."""
    from amrg.service import accounts

    new = accounts.account(name, role, person_name, organization)
    sessions = new_sessions_of(settings_of(config))
    password = ask_password(f"Password of {new.name}", twice=True) if new.role != "service" else None
    with sessions.begin() as session:
        row = accounts.add_account(session, actor(), new, password)
    say(f"{row.name} ({row.role}) added")


@app.command("change")
def change(
    name: Name,
    person_name: Annotated[str | None, typer.Option(help="Name in signatures from now on: Doe^Jane.")] = None,
    organization: Annotated[str | None, typer.Option(help="Organization in signatures from now on.")] = None,
    config: Config = None,
) -> None:
    """Correct the name or organization that a person signs with; what was signed stays as it is."""
    from amrg.service import accounts

    if person_name is None and organization is None:
        fail(Exit.USAGE, "nothing to change; give --person-name or --organization")
    with sessions_of(settings_of(config)).begin() as session:
        row = accounts.change_person(session, actor(), name, person_name, organization)
    say(f"{row.name}: signs as {row.person_name}, {row.organization}")


@app.command("list")
def list_accounts(as_json: AsJson = False, config: Config = None) -> None:
    """All accounts, by name."""
    from amrg.service import accounts
    from amrg.service.database.engine import reading

    with reading(sessions_of(settings_of(config))) as session:
        rows = accounts.accounts(session)
    if as_json:
        fields = ("name", "role", "person_name", "organization", "active")
        print_json([{field: getattr(row, field) for field in fields} for row in rows])
        return
    table = ResultTable("login", "role", "name in signatures", "organization", "state")
    for row in rows:
        table.add_row(row.name, row.role, row.person_name, row.organization, "active" if row.active else "disabled")
    out.print(table)


@app.command("disable")
def disable(name: Name, config: Config = None) -> None:
    """Disable an account: its sessions and tokens end now, what it signed stays."""
    _set_active(name, False, config)


@app.command("enable")
def enable(name: Name, config: Config = None) -> None:
    """Enable an account again, and end a lock after wrong passwords."""
    _set_active(name, True, config)


@app.command("password")
def password(name: Name, config: Config = None) -> None:
    """Give a person a new password."""
    from amrg.service import accounts

    sessions = sessions_of(settings_of(config))
    new = ask_password(f"New password of {name}", twice=True)
    with sessions.begin() as session:
        accounts.set_password(session, actor(), name, new)
    say(f"{name}: password changed; open sessions have ended")


@app.command("token")
def token(
    name: Name,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = 365,
    config: Config = None,
) -> None:
    """A new bearer token of a service account, printed once and stored nowhere."""
    from amrg.service.login import add_token

    with sessions_of(settings_of(config)).begin() as session:
        made = add_token(session, actor(), name, datetime.timedelta(days=days))
    note(f"token of {name}, valid for {days} days; it is not shown again:")
    say(made)


def _set_active(name: str, active: bool, config: Config) -> None:
    from amrg.service import accounts

    with sessions_of(settings_of(config)).begin() as session:
        row = accounts.set_active(session, actor(), name, active)
    say(f"{row.name}: {'enabled' if active else 'disabled'}")
