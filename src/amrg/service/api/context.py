"""What every request is given: the database, the settings, and who sent it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Header, Path, Request
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.api.problems import ApiError
from amrg.service.api.protection import RateLimit
from amrg.service.database.engine import reading
from amrg.service.database.tables import StudyRow, UserRole
from amrg.service.login import Caller, caller_of_cookie, caller_of_token
from amrg.service.settings import Settings
from amrg.service.storage import Storage

COOKIE = "amrg_session"
CSRF_COOKIE = "amrg_csrf"
LONGEST_SECRET = 200  # characters
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Service:
    """What the application holds."""

    settings: Settings
    sessions: sessionmaker[Session]
    storage: Storage
    logins: RateLimit = field(default_factory=lambda: RateLimit(20, 60))


def service_of(request: Request) -> Service:
    """What the application of a request holds."""
    found = request.app.state.service
    assert isinstance(found, Service)
    return found


Held = Annotated[Service, Depends(service_of)]


def _read_session(held: Held) -> Iterator[Session]:
    with reading(held.sessions) as session:
        yield session


Reading = Annotated[Session, Depends(_read_session)]
"""A session that only reads."""


def caller_of(request: Request, held: Held, x_csrf_token: Annotated[str | None, Header()] = None) -> Caller:
    """Who sent a request: by a bearer token, or by the cookie of a session.

    Raises:
        ApiError: nobody (401), or a change by a session without its CSRF token (403).
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    secret = request.cookies.get(COOKIE, "")
    with reading(held.sessions) as session:
        if scheme:
            known = scheme.lower() == "bearer" and len(token) <= LONGEST_SECRET
            caller = caller_of_token(session, token.strip()) if known else None
        else:
            caller = caller_of_cookie(session, secret) if 0 < len(secret) <= LONGEST_SECRET else None
    if caller is None:
        raise ApiError(401, "log in first, or send a valid bearer token", headers={"WWW-Authenticate": "Bearer"})
    if request.method not in _SAFE and not caller.may_change(x_csrf_token):
        raise ApiError(403, "header X-CSRF-Token is missing or not that of the session; login returned it")
    return caller


def _require(*roles: UserRole) -> Callable[..., Caller]:
    def check(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
        if caller.role not in roles:
            raise ApiError(403, f"needs the role {' or '.join(roles)}; {caller.login} has {caller.role}")
        return caller

    return check


Anyone = Annotated[Caller, Depends(caller_of)]
"""Any account."""
Reader = Annotated[Caller, Depends(_require(UserRole.READER))]
Administrator = Annotated[Caller, Depends(_require(UserRole.ADMINISTRATOR))]
Program = Annotated[Caller, Depends(_require(UserRole.SERVICE, UserRole.ADMINISTRATOR))]
"""A program, or an administrator in its place."""


def limit_logins(request: Request, held: Held) -> None:
    """Count an attempt to log in from the caller's address.

    Raises:
        ApiError: too many of late.
    """
    wait = held.logins.seconds_to_wait(request.client.host if request.client else "")
    if wait > 0:
        raise ApiError(429, "too many attempts to log in", headers={"Retry-After": str(math.ceil(wait))})


StudyUid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID (0020,000D)")]
RowNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


def study_row(session: Session, study_uid: str) -> StudyRow:
    """A study's row.

    Raises:
        ApiError: there is none.
    """
    row = session.scalars(select(StudyRow).where(StudyRow.study_instance_uid == study_uid)).one_or_none()
    if row is None:
        raise ApiError(404, f"study {study_uid} is not here")
    return row
