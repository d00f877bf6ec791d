"""Routes for accounts, for administrators."""

from __future__ import annotations

import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from amrg.core.values import Value
from amrg.service import accounts
from amrg.service.accounts import LONGEST_PASSWORD, SHORTEST_PASSWORD, LoginName
from amrg.service.api.context import Administrator, Held, Reading
from amrg.service.database.tables import UserRole, UserRow
from amrg.service.login import add_token

router = APIRouter(tags=["users"])
Name = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$")]
Password = Annotated[str, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]


class User(Value):
    """An account."""

    name: str
    role: UserRole
    person_name: str
    organization: str
    active: bool
    openid: bool
    locked_until: datetime.datetime | None
    created_at: datetime.datetime


class NewUser(Value):
    """A new account: a person's with a password, a program's (role service) without."""

    name: LoginName
    role: UserRole
    person_name: str = Field("", max_length=64)
    organization: str = Field("", max_length=64)
    password: Password | None = Field(None, repr=False)


class Activity(Value):
    """Whether an account may log in."""

    active: bool


class SignsWith(Value):
    """What a person signs with from now on; what is not given stays."""

    person_name: str | None = Field(None, max_length=64)
    organization: str | None = Field(None, max_length=64)


class NewPassword(Value):
    """A new password."""

    password: Password = Field(repr=False)


class TokenLifetime(Value):
    """How long a token is valid."""

    days: int = Field(365, ge=1, le=3650)


class Token(Value):
    """A token, shown once: it is not stored."""

    token: str


@router.get("/users")
def list_users(_: Administrator, session: Reading) -> tuple[User, ...]:
    """All accounts."""
    return tuple(_user(row) for row in accounts.accounts(session))


@router.post("/users", status_code=201)
def add_user(new: NewUser, caller: Administrator, held: Held) -> User:
    """Add an account."""
    account = accounts.account(new.name, new.role, new.person_name, new.organization)
    with held.sessions.begin() as session:
        return _user(accounts.add_account(session, caller.login, account, new.password))


@router.patch("/users/{name}")
def change_user(name: Name, changes: SignsWith, caller: Administrator, held: Held) -> User:
    """Correct the name or organization that a person signs with; what was signed stays as it is."""
    with held.sessions.begin() as session:
        person = accounts.change_person(session, caller.login, name, changes.person_name, changes.organization)
        return _user(person)


@router.put("/users/{name}/active")
def set_active(name: Name, activity: Activity, caller: Administrator, held: Held) -> User:
    """Disable an account, which ends its sessions and tokens, or enable it again."""
    with held.sessions.begin() as session:
        return _user(accounts.set_active(session, caller.login, name, activity.active))


@router.put("/users/{name}/password", status_code=204)
def set_password(name: Name, new: NewPassword, caller: Administrator, held: Held) -> None:
    """Give a person a new password; ends the sessions that are open."""
    with held.sessions.begin() as session:
        accounts.set_password(session, caller.login, name, new.password)


@router.post("/users/{name}/tokens", status_code=201)
def new_token(name: Name, lifetime: TokenLifetime, caller: Administrator, held: Held) -> Token:
    """A new token of a service account."""
    with held.sessions.begin() as session:
        return Token(token=add_token(session, caller.login, name, datetime.timedelta(days=lifetime.days)))


def _user(row: UserRow) -> User:
    return User(
        name=row.name,
        role=row.role,
        person_name=row.person_name,
        organization=row.organization,
        active=row.active,
        openid=row.subject is not None,
        locked_until=row.locked_until,
        created_at=row.created_at,
    )
