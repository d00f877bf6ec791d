from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amrg.service.settings import Settings
from tests.service.api.clients import Api, Person


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
