"""Local accounts: no built-in password, a lock after wrong ones, and nothing that tells a guesser why."""

from __future__ import annotations

import datetime
import threading

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from amrg.service import accounts
from amrg.service.accounts import (
    FAILURES,
    AccountError,
    LoginRefused,
    account,
    add_account,
    check_password,
    set_active,
    set_password,
)
from amrg.service.audit import verify
from amrg.service.database.tables import AuditRow, UserRole, UserRow
from amrg.service.login import (
    TOKEN,
    add_token,
    caller_of_cookie,
    caller_of_token,
    close_session,
    open_session,
)
from amrg.service.openid import account_of_claims
from amrg.service.settings import OpenIdSettings

Sessions = sessionmaker[Session]
PASSWORD = "correct horse battery"
HOUR = datetime.timedelta(hours=1)
OPENID = OpenIdSettings(issuer="https://login.example", client_id="amrg", client_secret="secret")


def add_reader(sessions: Sessions, name: str = "reader") -> None:
    with sessions.begin() as session:
        add_account(session, "admin", account(name, "reader", "Doe^Jane", "General Hospital"), PASSWORD)


def actions(sessions: Sessions) -> list[str]:
    with sessions() as session:
        assert verify(session) == []
        return list(session.scalars(select(AuditRow.action).order_by(AuditRow.number)))


def test_no_account_is_built_in(sessions: Sessions) -> None:
    with sessions() as session:
        assert accounts.accounts(session) == []


def test_a_password_is_stored_as_argon2id_only(sessions: Sessions) -> None:
    add_reader(sessions)
    with sessions() as session:
        stored = session.scalars(select(UserRow.password_hash)).one()
    assert stored.startswith("$argon2id$")
    assert check_password(sessions, "READER", PASSWORD).name == "reader"
    assert actions(sessions) == ["user added", "login"]


def test_a_hash_of_old_parameters_is_replaced_at_login(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    add_reader(sessions)
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(accounts, "_HASHER", stronger)
    assert not stronger.check_needs_rehash(check_password(sessions, "reader", PASSWORD).password_hash)
    check_password(sessions, "reader", PASSWORD)


def test_wrong_name_and_wrong_password_are_refused_in_the_same_words(sessions: Sessions) -> None:
    add_reader(sessions)
    said = set()
    for name, password in (("reader", "wrong password"), ("nobody", PASSWORD), ("reader", ""), ("", "x" * 100_000)):
        with pytest.raises(LoginRefused) as refused:
            check_password(sessions, name, password)
        said.add(str(refused.value))
    assert len(said) == 1
    with sessions() as session:
        assert "nobody" not in str(session.execute(text("SELECT * FROM audit")).all())


def test_an_account_is_locked_after_wrong_passwords_and_opens_again(sessions: Sessions) -> None:
    add_reader(sessions)
    for _ in range(FAILURES):
        with pytest.raises(LoginRefused):
            check_password(sessions, "reader", "wrong password")
    with pytest.raises(LoginRefused):
        check_password(sessions, "reader", PASSWORD)
    with sessions.begin() as session:
        row = session.scalars(select(UserRow)).one()
        assert row.locked_until is not None
        row.locked_until -= accounts.LOCKED
    check_password(sessions, "reader", PASSWORD)
    with sessions() as session:
        assert session.scalars(select(UserRow.failed_logins)).one() == 0


def test_guesses_at_the_same_moment_are_counted(sessions: Sessions) -> None:
    add_reader(sessions)
    start, verified = threading.Barrier(12), []

    def guess() -> None:
        start.wait()
        try:
            check_password(sessions, "reader", "wrong password")
        except LoginRefused as refused:
            verified.append(refused)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        row = session.scalars(select(UserRow)).one()
    assert len(verified) == 12
    assert row.failed_logins == FAILURES  # the others were not even looked at
    assert row.locked_until is not None


@pytest.mark.parametrize(
    ("name", "role", "person", "organization", "expected"),
    [
        ("", "reader", "Doe^Jane", "H", "name: "),
        ("../x", "reader", "Doe^Jane", "H", "name: "),
        ("a b", "reader", "Doe^Jane", "H", "name: "),
        ("reader", "owner", "Doe^Jane", "H", "role: "),
        ("reader", "reader", "", "H", "needs a person's name"),
        ("reader", "reader", "Doe^Jane", " ", "needs a person's name"),
        ("reader", "reader", "Doe\\Jane", "H", "person_name: "),
        ("reader", "reader", " ^ ", "H", "person_name: a name has letters"),
        ("reader", "reader", "Doe^Jane", "A\nB", "organization: has a control character"),
    ],
)
def test_accounts_that_are_none(name: str, role: str, person: str, organization: str, expected: str) -> None:
    with pytest.raises(AccountError, match=expected):
        account(name, role, person, organization)


def test_names_are_not_used_again_and_passwords_have_a_length(sessions: Sessions) -> None:
    add_reader(sessions)
    with pytest.raises(AccountError, match="exists already"):
        add_reader(sessions, "READER")
    for password in ("short", "x" * 257):
        with pytest.raises(AccountError, match="expected 12 to 256"), sessions.begin() as session:
            add_account(session, "admin", account("admin", "administrator"), password)
    with pytest.raises(AccountError, match="tokens instead"), sessions.begin() as session:
        add_account(session, "admin", account("pacs", "service"), PASSWORD)
    with pytest.raises(AccountError, match="needs a password"), sessions.begin() as session:
        add_account(session, "admin", account("admin", "administrator"))


def test_the_last_administrator_stays(sessions: Sessions) -> None:
    for name in ("one", "two"):
        with sessions.begin() as session:
            add_account(session, "amrg", account(name, "administrator"), PASSWORD)
    with sessions.begin() as session:
        set_active(session, "two", "one", active=False)
    with pytest.raises(AccountError, match="last active"), sessions.begin() as session:
        set_active(session, "two", "two", active=False)
    with pytest.raises(LoginRefused):
        check_password(sessions, "one", PASSWORD)
    with sessions.begin() as session:
        set_active(session, "two", "one", active=True)
    check_password(sessions, "one", PASSWORD)


def test_a_session_ends_by_logout_by_time_and_with_the_account(sessions: Sessions) -> None:
    add_reader(sessions)
    user = check_password(sessions, "reader", PASSWORD)
    with sessions.begin() as session:
        tickets = [open_session(session, user, HOUR) for _ in range(3)]
        over = open_session(session, user, -HOUR)
    with sessions.begin() as session:
        stored = str(session.execute(text("SELECT * FROM sessions")).all())
        assert not [t for t in tickets if t.secret in stored or t.csrf in stored]
        caller = caller_of_cookie(session, tickets[0].secret)
        assert caller is not None
        assert (caller.login, caller.role) == ("reader", UserRole.READER)
        assert caller.may_change(tickets[0].csrf)
        assert not caller.may_change(tickets[1].csrf)
        assert not caller.may_change(None)
        assert caller_of_token(session, tickets[0].secret) is None
        assert caller_of_cookie(session, over.secret) is None
        close_session(session, tickets[0].secret)
    with sessions.begin() as session:
        assert caller_of_cookie(session, tickets[0].secret) is None
        assert caller_of_cookie(session, tickets[1].secret) is not None
        set_password(session, "reader", "reader", "another password")
    with sessions.begin() as session:
        assert caller_of_cookie(session, tickets[1].secret) is None
    assert actions(sessions) == ["user added", "login", "logout", "password changed"]


def test_tokens_are_of_service_accounts(sessions: Sessions) -> None:
    add_reader(sessions)
    with sessions.begin() as session:
        add_account(session, "admin", account("pacs", "service"))
        token = add_token(session, "admin", "pacs", HOUR)
    assert token.startswith(TOKEN)
    with sessions() as session:
        caller = caller_of_token(session, token)
        assert caller is not None
        assert caller.role is UserRole.SERVICE
        assert caller.may_change(None)
        assert caller_of_cookie(session, token) is None
    with pytest.raises(AccountError, match="only active service accounts"), sessions.begin() as session:
        add_token(session, "admin", "reader", HOUR)
    with sessions.begin() as session:
        set_active(session, "admin", "pacs", active=False)
    with sessions() as session:
        assert caller_of_token(session, token) is None


CLAIMS = {"sub": "7", "preferred_username": "jdoe", "family_name": "Doe", "given_name": "Jane", "amrg_role": "reader"}


def test_an_account_of_a_provider(sessions: Sessions) -> None:
    for _ in range(2):
        with sessions.begin() as session:
            user = account_of_claims(session, CLAIMS, OPENID, "General Hospital")
            assert (user.name, user.person_name, user.role) == ("jdoe", "Doe^Jane", UserRole.READER)
    with sessions.begin() as session:
        user = account_of_claims(session, {**CLAIMS, "amrg_role": "administrator"}, OPENID, "General Hospital")
        assert user.role is UserRole.ADMINISTRATOR
    assert actions(sessions) == ["user added", "login", "login", "role changed by provider", "login"]
    with pytest.raises(LoginRefused):
        check_password(sessions, "jdoe", "")


@pytest.mark.parametrize(
    "claims",
    [
        {**CLAIMS, "amrg_role": "service"},
        {**CLAIMS, "amrg_role": ["reader"]},
        {**CLAIMS, "family_name": "", "given_name": ""},
        {**CLAIMS, "preferred_username": "../x"},
        {**CLAIMS, "preferred_username": "Reader"},
    ],
    ids=["role", "roles", "nameless", "login", "taken"],
)
def test_a_provider_cannot_make_every_account(sessions: Sessions, claims: dict[str, object]) -> None:
    add_reader(sessions)
    with pytest.raises(LoginRefused), sessions.begin() as session:
        account_of_claims(session, claims, OPENID, "General Hospital")
    assert actions(sessions) == ["user added"]
