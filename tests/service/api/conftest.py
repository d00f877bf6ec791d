from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from amrg.service import accounts
from amrg.service.settings import Settings
from tests.service.api.clients import Api, Person


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same algorithm with little memory, so that tests which log in often are fast."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "_HASHER", cheap)
    monkeypatch.setattr(accounts, "_NOBODY", cheap.hash("a password that nobody has"))


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(folder=tmp_path / "node", database_url=database_url, reserve_megabytes=0)


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    opened = Api.of(settings)
    yield opened
    opened.close()


@pytest.fixture
def reader(api: Api) -> Person:
    return api.logged_in("anna")
