"""Who calls: sessions of people, tokens of programs. The database has only hashes, so a copy of it opens nothing."""

from __future__ import annotations

import datetime
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from amrg.core.hashing import sha256_of_text
from amrg.service import audit
from amrg.service.accounts import AccountError, require_account
from amrg.service.database.engine import database_now
from amrg.service.database.tables import SessionRow, UserRole, UserRow

TOKEN = "amrg_"
"""What every token begins with, so that tools that look for leaked secrets find it."""


@dataclass(frozen=True)
class Ticket:
    """A new session: the secret of its cookie, and the one that requests that change something must repeat."""

    secret: str
    csrf: str
    expires_at: datetime.datetime


@dataclass(frozen=True)
class Caller:
    """Who sent a request. `csrf_sha256` is None for a token: no browser adds one to a request by itself."""

    login: str
    role: UserRole
    csrf_sha256: str | None = None

    def may_change(self, csrf: str | None) -> bool:
        """Whether a request that changes something is the caller's own, and no other site's."""
        if self.csrf_sha256 is None:
            return True
        return csrf is not None and hmac.compare_digest(sha256_of_text(csrf), self.csrf_sha256)


def open_session(session: Session, user: UserRow, lifetime: datetime.timedelta) -> Ticket:
    """Begin a session of a person who has just logged in; expired ones of anybody are removed on the way."""
    now = database_now(session)
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
    ticket = Ticket(secrets.token_urlsafe(32), secrets.token_urlsafe(32), now + lifetime)
    session.add(_row(user, ticket.secret, sha256_of_text(ticket.csrf), now, ticket.expires_at))
    session.flush()
    return ticket


def add_token(session: Session, actor: str, name: str, lifetime: datetime.timedelta) -> str:
    """A new token of a service account; it is returned once and stored nowhere.

    Raises:
        AccountError: there is no such account, or it is a person's, or disabled.
    """
    user = require_account(session, name)
    if user.role is not UserRole.SERVICE or not user.active:
        raise AccountError(f"user {user.name}: only active service accounts have tokens; people log in")
    token, now = TOKEN + secrets.token_urlsafe(32), database_now(session)
    session.add(_row(user, token, "", now, now + lifetime))
    audit.append(session, actor, "token added", user.name, {"days": lifetime.days})
    return token


def caller_of_cookie(session: Session, secret: str) -> Caller | None:
    """Who has a session, None where it has ended."""
    found = _find(session, secret)
    if found is None or not found[0].csrf_token:
        return None
    return Caller(found[1].name, found[1].role, found[0].csrf_token)


def caller_of_token(session: Session, token: str) -> Caller | None:
    """Who has a token, None where it has ended. The secret of a session is none."""
    found = _find(session, token)
    if found is None or found[0].csrf_token:
        return None
    return Caller(found[1].name, found[1].role)


def close_session(session: Session, secret: str) -> None:
    """End a session."""
    found = _find(session, secret)
    if found is not None:
        session.delete(found[0])
        audit.append(session, found[1].name, "logout", found[1].name, {})


def _find(session: Session, secret: str) -> tuple[SessionRow, UserRow] | None:
    found = session.execute(
        select(SessionRow, UserRow)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.token_sha256 == sha256_of_text(secret), UserRow.active)
    ).one_or_none()
    if found is None or found[0].expires_at <= database_now(session):
        return None
    return found[0], found[1]


def _row(
    user: UserRow, secret: str, csrf_sha256: str, now: datetime.datetime, expires_at: datetime.datetime
) -> SessionRow:
    return SessionRow(
        token_sha256=sha256_of_text(secret),
        user_id=user.id,
        csrf_token=csrf_sha256,
        created_at=now,
        expires_at=expires_at,
    )
