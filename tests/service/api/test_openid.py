"""Logging in at a real OpenID Connect provider, started here: code with PKCE, state and nonce."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from amrg.service.api.app import create_app
from amrg.service.settings import OpenIdSettings, Settings
from tests.service.api.clients import API, Api

pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")  # inside the provider
CLAIMS = {"preferred_username": "jdoe", "family_name": "Doe", "given_name": "Jane", "amrg_role": "reader"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the provider uses a deprecated module
        provider = pytest.importorskip("oidc_provider_mock")
        users = [
            provider.User(sub="jane", claims=CLAIMS),
            provider.User(sub="guest", claims={**CLAIMS, "amrg_role": "guest"}),
        ]
        with provider.run_server_in_thread(require_nonce=True, user_claims=users) as server:
            yield f"http://localhost:{server.server_port}"


@pytest.fixture
def openid(issuer: str, tmp_path: Path) -> Iterator[Api]:
    settings = Settings(
        folder=tmp_path,
        facility_name="General Hospital",
        openid=OpenIdSettings(issuer=issuer, client_id="amrg", client_secret="secret"),
    )
    api = Api.of(settings)
    yield api
    api.close()


def at_provider(client: TestClient, subject: str) -> str:
    """Begin a login and answer the provider's form; returns where it sends the browser back to."""
    begun = client.get(f"{API}/login/openid", follow_redirects=False)
    assert begun.status_code == 302, begun.text
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert len(asked["state"][0]) >= 20
    assert len(asked["nonce"][0]) >= 20
    with httpx.Client() as browser:
        answer = browser.post(begun.headers["location"], data={"sub": subject})
    assert answer.status_code in (302, 303), answer.text
    return str(answer.headers["location"])


def test_a_person_logs_in(openid: Api) -> None:
    client = openid.client()
    back = at_provider(client, "jane")
    answer = client.get(back, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    assert client.get(f"{API}/login").json() == {
        "name": "jdoe",
        "role": "reader",
        "csrf_token": "",
        "expires_at": None,
    }
    csrf = client.cookies["amrg_csrf"]
    assert client.post(f"{API}/logout").status_code == 403
    assert client.post(f"{API}/logout", headers={"X-CSRF-Token": csrf}).status_code == 204


def test_an_answer_is_used_once_and_only_in_the_browser_that_began(openid: Api) -> None:
    client = openid.client()
    back = at_provider(client, "jane")
    assert openid.client().get(back, follow_redirects=False).status_code == 401
    assert client.get(re.sub(r"state=[^&]+", "state=other", back), follow_redirects=False).status_code == 401
    assert client.get(back, follow_redirects=False).status_code == 303
    assert client.get(back, follow_redirects=False).status_code == 401


def test_a_role_that_amrg_does_not_have(openid: Api) -> None:
    client = openid.client()
    answer = client.get(at_provider(client, "guest"), follow_redirects=False)
    assert answer.status_code == 401
    assert "role" in answer.json()["detail"]
    assert client.get(f"{API}/login").status_code == 401


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=y", "?error=access_denied", "?state=%00&code=%ff"])
def test_answers_that_nobody_asked_for(openid: Api, query: str) -> None:
    assert openid.client().get(f"{API}/login/openid/callback{query}").status_code == 401


def test_a_provider_that_is_down(tmp_path: Path) -> None:
    nowhere = OpenIdSettings(issuer="http://127.0.0.1:9", client_id="amrg", client_secret="secret")
    app = create_app(Settings(folder=tmp_path, openid=nowhere))
    answer = TestClient(app).get(f"{API}/login/openid", follow_redirects=False)
    assert answer.status_code == 503
    app.state.service.sessions.kw["bind"].dispose()


def test_without_a_provider(api: Api) -> None:
    assert api.client().get(f"{API}/login/openid").status_code == 404
