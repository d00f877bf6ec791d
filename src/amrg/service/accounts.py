"""Accounts: people with local passwords or of an OpenID provider, and programs with tokens. None is built in."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import AfterValidator, StringConstraints, ValidationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from amrg.birads import PersonName
from amrg.core.errors import AmrgError
from amrg.core.values import Value, first_complaint
from amrg.service import audit
from amrg.service.database.engine import database_now
from amrg.service.database.tables import SessionRow, UserRole, UserRow

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256  # characters
FAILURES = 5
"""Wrong passwords in a row until an account is locked."""
LOCKED = datetime.timedelta(minutes=15)

LoginName = Annotated[
    str, StringConstraints(min_length=1, max_length=64, to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$")
]
"""A login: letters, digits and `. _ @ + -`, the same in capitals and not."""


class AccountError(AmrgError):
    """An account that cannot be made or changed as it was meant."""


class LoginRefused(AmrgError):
    """A login that is not allowed. It does not say why: that would help only those who guess."""


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a control character; expected one line of text")
    return text


class Account(Value):
    """A new account. A reader signs with `person_name` (DICOM PN) and `organization`, and needs both."""

    name: LoginName
    role: UserRole
    person_name: PersonName | None = None
    organization: Annotated[str, StringConstraints(max_length=64), AfterValidator(_one_line)] = ""


def account(name: str, role: str, person_name: str = "", organization: str = "") -> Account:
    """An account of what a person typed.

    Raises:
        AccountError: a field that it cannot have, or lacks.
    """
    try:
        made = Account.model_validate(
            {"name": name, "role": role, "person_name": person_name or None, "organization": organization}
        )
    except ValidationError as error:
        raise AccountError(f"user {name[:64]!r}: {first_complaint(error)}") from error
    if made.role is UserRole.READER and not (made.person_name and made.organization.strip()):
        raise AccountError(
            f"user {made.name}: a reader needs a person's name and an organization, which signatures have"
        )
    return made


def add_account(
    session: Session, actor: str, new: Account, password: str | None = None, subject: str | None = None
) -> UserRow:
    """Add an account: a person's has a password or is of an OpenID provider, a service account gets tokens instead.

    Raises:
        AccountError: the name is taken, or the password is too short, or missing, or a service account has one.
    """
    if (new.role is UserRole.SERVICE or subject is not None) != (password is None):
        raise AccountError(f"user {new.name}: a person needs a password; a service account has tokens instead")
    if find_account(session, new.name) is not None:
        raise AccountError(f"user {new.name}: exists already; names are not used again, since the audit trail has them")
    row = UserRow(
        name=new.name,
        person_name=new.person_name or "",
        organization=new.organization.strip(),
        role=new.role,
        password_hash="" if password is None else hash_password(password),
        subject=subject,
        created_at=database_now(session),
    )
    session.add(row)
    audit.append(session, actor, "user added", new.name, {"role": str(new.role), "openid": subject is not None})
    return row


def hash_password(password: str) -> str:
    """Argon2id with the library's parameters (RFC 9106).

    Raises:
        AccountError: too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccountError(f"password: {len(password)} characters; expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}")
    with _hashing():
        return _HASHER.hash(password)


def set_password(session: Session, actor: str, name: str, password: str) -> None:
    """Give a person a new password; sessions that are open end.

    Raises:
        AccountError: there is no such account, or it has none, or the password is too short.
    """
    row = require_account(session, name)
    if not row.password_hash:
        raise AccountError(f"user {row.name}: has no local password")
    row.password_hash, row.failed_logins, row.locked_until = hash_password(password), 0, None
    _end_sessions(session, row)
    audit.append(session, actor, "password changed", row.name, {})


def change_person(
    session: Session, actor: str, name: str, person_name: str | None, organization: str | None
) -> UserRow:
    """Correct what an account signs with; None stays as it is. What was signed before stays too.

    Raises:
        AccountError: there is no such account, or a field is one that it cannot have.
    """
    row = require_account(session, name)
    stated = {"person_name": person_name, "organization": organization}
    changed = {field: value for field, value in stated.items() if value is not None}
    whole = {field: getattr(row, field) for field in stated} | changed
    new = account(row.name, row.role, whole["person_name"], whole["organization"])
    row.person_name, row.organization = new.person_name or "", new.organization.strip()
    audit.append(session, actor, "user changed", row.name, {"fields": sorted(changed)})
    return row


def set_active(session: Session, actor: str, name: str, active: bool) -> UserRow:
    """Disable or enable an account; a disabled one's sessions and tokens end at this moment.

    Raises:
        AccountError: there is no such account, or nobody would be left to administer.
    """
    row = require_account(session, name)
    if not active and row.role is UserRole.ADMINISTRATOR:
        others = select(UserRow.id).where(UserRow.role == UserRole.ADMINISTRATOR, UserRow.active, UserRow.id != row.id)
        if session.scalars(others.limit(1)).first() is None:
            raise AccountError(f"user {row.name}: the last active administrator; add another one first")
    row.active, row.failed_logins, row.locked_until = active, 0, None
    if not active:
        _end_sessions(session, row)
    audit.append(session, actor, "user enabled" if active else "user disabled", row.name, {})
    return row


def accounts(session: Session) -> list[UserRow]:
    """All of them, by name."""
    return list(session.scalars(select(UserRow).order_by(UserRow.name)))


def find_account(session: Session, name: str) -> UserRow | None:
    """The account of a login, None where there is none."""
    return session.scalars(select(UserRow).where(UserRow.name == name.lower())).one_or_none()


def require_account(session: Session, name: str) -> UserRow:
    """The account of a login, held for a change.

    Raises:
        AccountError: there is none.
    """
    row = session.scalars(select(UserRow).where(UserRow.name == name.lower()).with_for_update()).one_or_none()
    if row is None:
        raise AccountError(f"user {name[:64]!r}: does not exist")
    return row


def check_password(sessions: sessionmaker[Session], name: str, password: str) -> UserRow:
    """The account of a login and its password.

    An attempt counts as failed before the password is looked at, so that attempts at the same moment are counted too.
    After `FAILURES` of them the account is locked for a while. A wrong name takes as long as a wrong password.

    Raises:
        LoginRefused: wrong, locked or disabled.
    """
    with sessions.begin() as session:
        stored = _count_attempt(session, name)
    right = _matches(stored or _NOBODY, password) and stored is not None
    with sessions.begin() as session:
        row = find_account(session, name)
        if row is not None and right and row.active and row.password_hash == stored:
            row.failed_logins, row.locked_until = 0, None
            if _HASHER.check_needs_rehash(row.password_hash):
                row.password_hash = hash_password(password)
            audit.append(session, row.name, "login", row.name, {"by": "password"})
            return row
        # What was typed as an unknown name is not recorded: it may be a password.
        subject = "" if row is None else row.name
        locked = row is not None and row.failed_logins >= FAILURES
        audit.append(session, audit.SYSTEM, "login refused", subject, {"locked": locked})
    raise LoginRefused("login refused: name or password is wrong, or the account is locked or disabled")


def _count_attempt(session: Session, name: str) -> str | None:
    """The password's hash of an account that may try, None for one that is locked, disabled or not there."""
    row = session.scalars(select(UserRow).where(UserRow.name == name.lower()).with_for_update()).one_or_none()
    if row is None or not row.active or not row.password_hash:
        return None
    now = database_now(session)
    if row.locked_until is not None:
        if now < row.locked_until:
            return None
        row.failed_logins, row.locked_until = 0, None
    row.failed_logins += 1
    if row.failed_logins >= FAILURES:
        row.locked_until = now + LOCKED
    return row.password_hash


def _matches(stored: str, password: str) -> bool:
    if len(password) > LONGEST_PASSWORD:
        return False
    try:
        with _hashing():
            return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _end_sessions(session: Session, row: UserRow) -> None:
    session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))


@contextmanager
def _hashing() -> Iterator[None]:
    """Few at a time: each takes 64 MiB, and anyone can ask for one."""
    with _PLACES:
        yield


_HASHER = PasswordHasher()
_PLACES = threading.BoundedSemaphore(4)
_NOBODY = _HASHER.hash("a password that nobody has")
