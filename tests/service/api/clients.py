"""An API on a database of its own, and people who are logged in to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker
from starlette.routing import BaseRoute

from amrg.service.accounts import account, add_account
from amrg.service.api.app import create_app
from amrg.service.database.tables import UserRole
from amrg.service.settings import Settings

API = "/api/v1"
PASSWORD = "correct horse battery"
_ROUTES: list[BaseRoute] = []


@dataclass(frozen=True)
class Api:
    """The application, its database, and clients of it."""

    app: FastAPI
    sessions: sessionmaker[Session]

    @staticmethod
    def of(settings: Settings) -> Api:
        """The application of some settings. Its routes, the same in every one, are built once for all."""
        app = create_app(settings)
        _ROUTES.extend(app.router.routes if not _ROUTES else [])
        app.router.routes[:] = _ROUTES
        return Api(app, app.state.service.sessions)

    def close(self) -> None:
        """Close the database."""
        self.sessions.kw["bind"].dispose()

    def client(self) -> TestClient:
        """A browser without cookies."""
        return TestClient(self.app, base_url="https://testserver", raise_server_exceptions=True)

    def add(self, name: str, role: UserRole) -> None:
        """An account."""
        person = ("Doe^Anna", "General Hospital") if role is UserRole.READER else ("", "")
        with self.sessions.begin() as session:
            password = None if role is UserRole.SERVICE else PASSWORD
            add_account(session, "test", account(name, role, *person), password)

    def logged_in(self, name: str, role: UserRole = UserRole.READER) -> Person:
        """A new account that is logged in."""
        self.add(name, role)
        return Person.log_in(self.client(), name)


@dataclass(frozen=True)
class Person:
    """A session of a person."""

    client: TestClient
    csrf: str

    @staticmethod
    def log_in(client: TestClient, name: str) -> Person:
        """Log in with the password of all tests."""
        answer = client.post(f"{API}/login", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Person(client, answer.json()["csrf_token"])

    def get(self, path: str, **options: Any) -> Any:
        """Read."""
        return self.client.get(API + path, **options)

    def send(self, method: str, path: str, body: object = None, version: int | None = None) -> Any:
        """Change something, on a version where there is one."""
        headers = {"X-CSRF-Token": self.csrf}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return self.client.request(method, API + path, json=body, headers=headers)
