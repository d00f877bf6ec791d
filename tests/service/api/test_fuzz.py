"""Every operation of the API under generated requests: answers of its own, never an internal error."""

from __future__ import annotations

import contextlib
import datetime
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from amrg.service.accounts import find_account
from amrg.service.database.tables import UserRole
from amrg.service.login import open_session
from tests.service.api.clients import API, Api
from tests.service.reports import STUDY, add_study

FEW = examples(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def session_of(api: Api, name: str) -> dict[str, str]:
    """Headers of a person who is logged in."""
    with api.sessions.begin() as session:
        user = find_account(session, name)
        assert user is not None
        ticket = open_session(session, user, datetime.timedelta(hours=1))
    return {"Cookie": f"amrg_session={ticket.secret}", "X-CSRF-Token": ticket.csrf}


@schemathesis.serializer("multipart/related")
def as_it_is(context: Any, value: Any) -> bytes:
    """Bytes of an upload: whatever was generated, under a header that states the boundary."""
    return value if isinstance(value, bytes) else str(value).encode()


def ask(api: Api, operation: Any, reached: set[int]) -> None:
    """Send generated requests of one operation, as who may."""
    name = "reader" if "/studies" in operation.path else "admin"

    @FEW
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def send(case: Any) -> None:
        if "study_uid" in (case.path_parameters or {}):
            case.path_parameters["study_uid"] = STUDY
        with contextlib.suppress(UnicodeEncodeError):  # a header that no client can send
            answer = case.call(headers=session_of(api, name))  # a new one: a logout ends it
            case.validate_response(answer, checks=[not_a_server_error])
            reached.add(answer.status_code)

    send()


def test_no_request_ends_in_an_internal_error(api: Api) -> None:
    add_study(api.sessions)
    api.add("reader", UserRole.READER)
    api.add("admin", UserRole.ADMINISTRATOR)
    reached: set[int] = set()
    for result in schemathesis.openapi.from_asgi(f"{API}/openapi.json", api.app).get_all_operations():
        assert isinstance(result, Ok)
        ask(api, result.ok(), reached)
    assert {200, 404, 422} <= reached
