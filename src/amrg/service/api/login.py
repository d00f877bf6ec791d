"""Routes for logging in and out: by a local password, or through an OpenID provider."""

from __future__ import annotations

import datetime
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from httpx2 import HTTPError
from joserfc.errors import JoseError
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from amrg.core.values import Value
from amrg.service.accounts import LONGEST_PASSWORD, LoginRefused, check_password
from amrg.service.api.context import COOKIE, CSRF_COOKIE, Anyone, Held, Service, limit_logins
from amrg.service.api.problems import ApiError
from amrg.service.database.tables import UserRole, UserRow
from amrg.service.login import Ticket, close_session, open_session
from amrg.service.openid import account_of_claims
from amrg.service.settings import OpenIdSettings

router = APIRouter(tags=["login"])
PROVIDER = "provider"


class Credentials(Value):
    """A login and its password."""

    name: str = Field(max_length=64)
    password: str = Field(max_length=LONGEST_PASSWORD, repr=False)


class LoggedIn(Value):
    """Who is logged in. `csrf_token` is what requests of this session that change something have as X-CSRF-Token."""

    name: str
    role: UserRole
    csrf_token: str = ""
    expires_at: datetime.datetime | None = None


@router.post("/login", dependencies=[Depends(limit_logins)])
def log_in(credentials: Credentials, request: Request, held: Held) -> LoggedIn:
    """Begin a session: sets its cookie."""
    user = check_password(held.sessions, credentials.name, credentials.password)
    ticket = _ticket(held, user)
    found = LoggedIn(name=user.name, role=user.role, csrf_token=ticket.csrf, expires_at=ticket.expires_at)
    return _with_cookies(JSONResponse(found.model_dump(mode="json")), request, held, ticket)  # type: ignore[return-value]


@router.get("/login")
def who_am_i(caller: Anyone) -> LoggedIn:
    """Whose session or token this is."""
    return LoggedIn(name=caller.login, role=caller.role)


@router.post("/logout", status_code=204)
def log_out(_: Anyone, request: Request, held: Held) -> Response:
    """End the session."""
    with held.sessions.begin() as session:
        close_session(session, request.cookies.get(COOKIE, ""))
    answer = Response(status_code=204)
    for cookie in (COOKIE, CSRF_COOKIE):
        answer.delete_cookie(cookie)
    return answer


@router.get("/login/openid", status_code=302, response_class=RedirectResponse, dependencies=[Depends(limit_logins)])
async def log_in_at_provider(request: Request) -> Any:
    """Go to the provider's page."""
    try:
        return await _provider(request).authorize_redirect(request, request.url_for("return_from_provider"))
    except (HTTPError, OAuthError, JoseError) as error:
        raise ApiError(
            503, "the OpenID provider does not answer; try again, or check [openid] in the settings"
        ) from error


@router.get(
    "/login/openid/callback", status_code=303, response_class=RedirectResponse, dependencies=[Depends(limit_logins)]
)
async def return_from_provider(request: Request, held: Held) -> Any:
    """Return from the provider's page: begins a session.

    State binds the answer to this browser, PKCE the code to this request, the nonce the ID token to both.
    """
    try:
        token = await _provider(request).authorize_access_token(request)
    except HTTPError as error:
        raise ApiError(503, "the OpenID provider does not answer; try again") from error
    except (OAuthError, JoseError, KeyError, ValueError) as error:
        raise LoginRefused("login refused: the provider's answer is not one to a login that began here") from error
    if not token.get("userinfo"):
        raise LoginRefused("login refused: the provider sent no ID token")
    ticket = await run_in_threadpool(_open, held, dict(token["userinfo"]))
    request.session.clear()
    return _with_cookies(RedirectResponse(request.url_for("who_am_i"), 303), request, held, ticket)


def oauth_of(settings: OpenIdSettings) -> OAuth:
    """The client of a provider: authorization code with PKCE (S256), its addresses and keys from its own document."""
    oauth = OAuth()
    oauth.register(
        PROVIDER,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "timeout": 10},
    )
    return oauth


def _provider(request: Request) -> Any:
    oauth = request.app.state.oauth
    if oauth is None:
        raise ApiError(404, "no OpenID provider is set up here; log in with a local account")
    return oauth.create_client(PROVIDER)


def _open(held: Service, claims: dict[str, Any]) -> Ticket:
    openid = held.settings.openid
    assert openid is not None
    with held.sessions.begin() as session:
        user = account_of_claims(session, claims, openid, held.settings.facility_name)
        return open_session(session, user, _lifetime(held))


def _ticket(held: Service, user: UserRow) -> Ticket:
    with held.sessions.begin() as session:
        return open_session(session, user, _lifetime(held))


def _lifetime(held: Service) -> datetime.timedelta:
    return datetime.timedelta(minutes=held.settings.http.session_minutes)


def _with_cookies(answer: Response, request: Request, held: Service, ticket: Ticket) -> Response:
    """An answer with the session's cookie, which scripts cannot read, and the CSRF token's, which they can."""
    for name, value, hidden in ((COOKIE, ticket.secret, True), (CSRF_COOKIE, ticket.csrf, False)):
        answer.set_cookie(
            name,
            value,
            max_age=int(_lifetime(held).total_seconds()),
            secure=request.url.scheme == "https",
            httponly=hidden,
            samesite="lax",
        )
    return answer
