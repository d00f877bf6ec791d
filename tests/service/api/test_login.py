"""Who may do what: sessions with CSRF tokens, tokens of programs, roles, limits."""

from __future__ import annotations

import pytest

from amrg.service.database.tables import UserRole
from tests.service.api.clients import API, PASSWORD, Api, Person

CHANGES = [
    ("POST", "/users", {"name": "x", "role": "service"}),
    ("PUT", "/users/anna/active", {"active": False}),
    ("POST", "/audit/verification", None),
    ("POST", "/jobs/1/retry", None),
    ("POST", "/jobs/1/skip", None),
]


def test_nothing_but_health_and_login_is_open(api: Api) -> None:
    client = api.client()
    assert client.get(f"{API}/health").json() == {"status": "ok"}
    document = client.get(f"{API}/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert all(set(one) <= set(schemes) for one in document["security"])
    opened = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation.get("security") == []:
                opened.add((method, path.removeprefix(API)))
                continue
            filled = path.replace("{study_uid}", "1.2").replace("{sop_instance_uid}", "1.3").replace("{name}", "x")
            filled = filled.replace("{number}", "1").replace("{job_id}", "1").replace("{delivery_id}", "1")
            answer = client.request(method, filled)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"
    openid = {("get", f"/login/openid{end}") for end in ("", "/callback")}
    assert opened == {("get", "/health"), ("post", "/login"), *openid}


def test_a_change_names_the_version_that_was_read_in_the_openapi_document_too(api: Api) -> None:
    paths = api.client().get(f"{API}/openapi.json").json()["paths"]
    changes = [o for path, of in paths.items() for m, o in of.items() if "/report" in path and m != "get"]
    assert len(changes) == 6
    for operation in changes:
        assert any(p["name"] == "if-match" and p["required"] for p in operation["parameters"])


def test_a_session_changes_nothing_without_its_csrf_token(api: Api) -> None:
    admin = api.logged_in("admin", UserRole.ADMINISTRATOR)
    other = api.logged_in("other", UserRole.ADMINISTRATOR)
    for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": other.csrf}):
        answer = admin.client.post(f"{API}/users", json={"name": "pacs", "role": "service"}, headers=headers)
        assert answer.status_code == 403
        assert "X-CSRF-Token" in answer.json()["detail"]
    assert admin.send("POST", "/users", {"name": "pacs", "role": "service"}).status_code == 201


def test_the_cookie_is_hidden_from_scripts_and_other_sites(api: Api) -> None:
    api.add("anna", UserRole.READER)
    answer = api.client().post(f"{API}/login", json={"name": "anna", "password": PASSWORD})
    cookie, csrf = answer.headers.get_list("set-cookie")
    assert cookie.startswith("amrg_session=")
    assert {"HttpOnly", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
    assert csrf.startswith("amrg_csrf=")
    assert "HttpOnly" not in csrf
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" in answer.headers


def test_logout_ends_the_session_and_not_only_the_cookie(reader: Person) -> None:
    secret = reader.client.cookies["amrg_session"]
    assert reader.get("/login").json()["name"] == "anna"
    assert reader.send("POST", "/logout").status_code == 204
    reader.client.cookies.set("amrg_session", secret)
    assert reader.get("/login").status_code == 401


def test_what_a_role_may_do(api: Api, reader: Person) -> None:
    for method, path, body in CHANGES:
        assert reader.send(method, path, body).status_code == 403, path
    admin = api.logged_in("admin", UserRole.ADMINISTRATOR)
    for path in ("/users", "/jobs", "/audit", "/metrics", "/studies", "/deliveries"):
        assert admin.get(path).status_code == 200, path
    assert admin.send("POST", "/studies/1.2/report/signature", {}, 1).status_code == 403


def test_a_token_reads_and_a_stolen_cookie_is_no_token(api: Api, reader: Person) -> None:
    admin = api.logged_in("admin", UserRole.ADMINISTRATOR)
    assert admin.send("POST", "/users", {"name": "pacs", "role": "service"}).status_code == 201
    token = admin.send("POST", "/users/pacs/tokens", {"days": 1}).json()["token"]
    client = api.client()

    def status(path: str, authorization: str) -> int:
        return client.get(API + path, headers={"Authorization": authorization}).status_code

    assert status("/studies", f"Bearer {token}") == 200
    assert status("/metrics", f"Bearer {token}") == 200
    assert status("/users", f"Bearer {token}") == 403
    secret = reader.client.cookies["amrg_session"]
    for wrong in (f"Basic {token}", f"Bearer {token}x", "Bearer", "Bearer " + "x" * 9000, f"Bearer {secret}"):
        assert status("/studies", wrong) == 401, wrong[:20]
    assert admin.send("PUT", "/users/pacs/active", {"active": False}).status_code == 200
    assert status("/studies", f"Bearer {token}") == 401


def test_attempts_to_log_in_are_limited(api: Api) -> None:
    client = api.client()
    answers = [client.post(f"{API}/login", json={"name": "x", "password": "y"}) for _ in range(21)]
    assert [a.status_code for a in answers] == [401] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_a_locked_account_is_refused_in_the_same_words(api: Api) -> None:
    api.add("anna", UserRole.READER)
    client = api.client()
    wrong = [client.post(f"{API}/login", json={"name": "anna", "password": "no"}).json() for _ in range(5)]
    right = client.post(f"{API}/login", json={"name": "anna", "password": PASSWORD})
    assert right.status_code == 401
    assert [right.json()] * 5 == wrong


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "my secret", "role": "service"}, 422),
        ({"name": "x", "role": "reader", "password": PASSWORD}, 409),
    ],
)
def test_accounts_that_are_none(api: Api, body: dict[str, str], status: int) -> None:
    admin = api.logged_in("admin", UserRole.ADMINISTRATOR)
    answer = admin.send("POST", "/users", body)
    assert answer.status_code == status
    assert "secret" not in answer.text


def test_a_name_is_corrected_and_a_wrong_one_refused(api: Api) -> None:
    admin = api.logged_in("admin", UserRole.ADMINISTRATOR)
    api.add("anna", UserRole.READER)
    changed = admin.send("PATCH", "/users/anna", {"person_name": "Roe^Anna"}).json()
    assert (changed["person_name"], changed["organization"]) == ("Roe^Anna", "General Hospital")
    assert admin.send("PATCH", "/users/anna", {"organization": "A\nB"}).status_code == 409
    assert admin.send("PATCH", "/users/otto", {"organization": "A"}).status_code == 409


def test_no_password_comes_back_in_an_error(api: Api) -> None:
    secret = "hunter2hunter2" * 40
    answer = api.client().post(f"{API}/login", json={"name": ["x"], "password": secret})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
