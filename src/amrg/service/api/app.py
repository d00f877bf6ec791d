"""The application: what `amrg serve` listens with."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware

from amrg import __version__
from amrg.service.api import jobs, login, reports, studies, trail, upload, users
from amrg.service.api.context import COOKIE, Service
from amrg.service.api.problems import RESPONSES, answer_with_problems
from amrg.service.api.protection import Protection
from amrg.service.audit.head_file import HEAD_FILE, note_heads
from amrg.service.database.engine import open_database
from amrg.service.settings import Settings, make_folder
from amrg.service.storage import Storage

PREFIX = "/api/v1"
_SECRET_FILE = "cookie-secret"
_OPEN = frozenset({("get", "/health"), ("post", "/login"), ("get", "/login/openid"), ("get", "/login/openid/callback")})
"""Operations that need no login."""
_LOGIN_SECONDS = 600  # how long a person may be at the provider's page


def create_app(settings: Settings) -> FastAPI:
    """The HTTP API on the settings' database and storage.

    Raises:
        DatabaseError: the database cannot be used.
        OSError: the settings' folder cannot be written.
    """
    make_folder(settings.folder)
    sessions = open_database(settings.database)
    note_heads(sessions, settings.folder / HEAD_FILE)
    megabyte = 2**20
    limit = settings.http.upload_megabytes * megabyte
    storage = Storage(
        settings.images, min(limit, settings.dicom.object_megabytes * megabyte), settings.reserve_megabytes * megabyte
    )
    app = _Described(
        title="amrg",
        version=__version__,
        description="Mammography studies, drafted BI-RADS reports, and their signatures. Drafts are unverified.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        middleware=[
            Middleware(Protection, upload_path=f"{PREFIX}/studies", upload_limit=limit),
            *_openid_session(settings),
        ],
    )
    app.state.service = Service(settings, sessions, storage)
    app.state.oauth = None if settings.openid is None else login.oauth_of(settings.openid)
    answer_with_problems(app)
    for part in (login, studies, upload, reports, jobs, users, trail):
        app.include_router(part.router, prefix=PREFIX, responses=RESPONSES)
    return app


class _Described(FastAPI):
    """FastAPI's application, whose OpenAPI document says who may call what, made when it is first requested."""

    def openapi(self) -> dict[str, Any]:
        """The document."""
        document = super().openapi()
        document["components"]["securitySchemes"] = {
            "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            "token": {"type": "http", "scheme": "bearer"},
        }
        document["security"] = [{"session": []}, {"token": []}]
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if (method, path.removeprefix(PREFIX)) in _OPEN:
                    operation["security"] = []
                for parameter in operation.get("parameters", ()):
                    if parameter["name"] == "if-match":  # answered with 428 where it is missing, not with 422
                        parameter["required"] = True
        return document


def _openid_session(settings: Settings) -> list[Middleware]:
    """A signed cookie for state, nonce and verifier while a person is at the provider's page, if there is one."""
    if settings.openid is None:
        return []
    return [
        Middleware(
            SessionMiddleware,
            secret_key=_secret(settings.folder / _SECRET_FILE),
            session_cookie="amrg_openid",
            max_age=_LOGIN_SECONDS,
            same_site="lax",
            https_only=settings.http.tls_certificate is not None,
            path=f"{PREFIX}/login",
        )
    ]


def _secret(file: Path) -> str:
    """A secret that all processes of the service share, and only their user can read."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text(encoding="ascii")
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        made = secrets.token_urlsafe(32)
        opened.write(made)
    return made
