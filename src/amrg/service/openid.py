"""Accounts of an OpenID Connect provider: made at the first login, their role as the provider states it each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from amrg.service import audit
from amrg.service.accounts import AccountError, LoginRefused, account, add_account
from amrg.service.database.tables import UserRole, UserRow
from amrg.service.settings import OpenIdSettings


def account_of_claims(
    session: Session, claims: Mapping[str, Any], openid: OpenIdSettings, organization: str
) -> UserRow:
    """The account of a person whom the provider has logged in, by the checked claims of the ID token.

    The provider decides on the role (`openid.role_claim`), at every login; a reader's name for signatures comes from
    `family_name` and `given_name`, the organization is the facility's. A local account is never taken over: one of the
    same name is refused.

    Raises:
        LoginRefused: no role that amrg has, no names that a signature needs, or the account is disabled.
    """
    subject = f"{openid.issuer} {claims.get('sub', '')}"
    role = str(claims.get(openid.role_claim, ""))
    if role not in (UserRole.READER, UserRole.ADMINISTRATOR):
        raise LoginRefused(f"login refused: the provider states no role in {openid.role_claim!r} that amrg has")
    row = session.scalars(select(UserRow).where(UserRow.subject == subject).with_for_update()).one_or_none()
    if row is None:
        row = _new(session, claims, role, subject, organization)
    elif not row.active:
        raise LoginRefused("login refused: the account is disabled")
    elif row.role != role:
        row.role = UserRole(role)
        audit.append(session, audit.SYSTEM, "role changed by provider", row.name, {"role": role})
    audit.append(session, row.name, "login", row.name, {"by": "openid"})
    return row


def _new(session: Session, claims: Mapping[str, Any], role: str, subject: str, organization: str) -> UserRow:
    name = str(claims.get("preferred_username") or claims.get("email") or claims.get("sub", ""))
    person = "^".join(str(claims.get(key, "")) for key in ("family_name", "given_name")).strip("^")
    try:
        return add_account(session, audit.SYSTEM, account(name, role, person, organization), subject=subject)
    except AccountError as error:
        raise LoginRefused(f"login refused: {error}") from error
