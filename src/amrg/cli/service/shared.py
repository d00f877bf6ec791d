"""What the commands of the service share: its settings and database, and who is asked for a password."""

from __future__ import annotations

import getpass
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from amrg.cli.console import fail
from amrg.cli.exits import Exit

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from amrg.service.settings import Settings
    from amrg.service.signing import Deliver

Word = TypeVar("Word", bound=StrEnum)
Config = Annotated[
    Path | None, typer.Option("--config", help="Settings of the service (default: amrg.toml, where it is).")
]


def settings_of(config: Path | None) -> Settings:
    """The settings that `amrg serve` has with the same option."""
    from amrg.service.settings import Settings, read_settings

    file = config if config is not None else Path("amrg.toml")
    return Settings() if config is None and not file.is_file() else read_settings(file)


def sessions_of(settings: Settings) -> sessionmaker[Session]:
    """The service's database; leaves with one line where there is none, for an empty one would answer for it."""
    file = settings.database.removeprefix("sqlite:///")
    if file != settings.database and not Path(file).is_file():
        fail(
            Exit.UNREADABLE,
            f"{file}: no database of the service; run this where `amrg serve` runs, or name its settings with --config",
        )
    return new_sessions_of(settings)


def new_sessions_of(settings: Settings) -> sessionmaker[Session]:
    """The service's database, made where there is none, as `amrg serve` opens it; the audit trail's head is noted."""
    from amrg.service.audit.head_file import HEAD_FILE, note_heads
    from amrg.service.database.engine import open_database
    from amrg.service.settings import make_folder

    make_folder(settings.folder)
    sessions = open_database(settings.database)
    note_heads(sessions, settings.folder / HEAD_FILE)
    return sessions


def actor() -> str:
    """Who acts at the command line, for the audit trail: the user of the operating system."""
    return f"local:{getpass.getuser()}"


def one_of(kind: type[Word], name: str, option: str) -> Word:
    """The member of an enumeration that an option names."""
    if name not in tuple(kind):
        raise typer.BadParameter(f"{name!r}; expected one of {', '.join(kind)}", param_hint=option)
    return kind(name)


def ask_password(prompt: str, *, twice: bool = False) -> str:
    """A password from the terminal, unseen; from the first line of standard input where there is no terminal."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        fail(Exit.USAGE, f"{prompt.lower()}: expected on the first line of standard input, where there is no terminal")
    return line


def deliver(settings: Settings) -> Deliver:
    """Queues the deliveries of a version that was signed at the command line; the service sends them."""
    from amrg.service.delivering import queue_deliveries

    return lambda session, row: queue_deliveries(session, row, settings)
