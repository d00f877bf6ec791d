"""Errors as problem+json (RFC 9457): what was found, what was expected, what to do; never what a patient is called."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from amrg.core.errors import AmrgError
from amrg.core.values import Value
from amrg.service.accounts import AccountError, LoginRefused
from amrg.service.queue import NoSuchJob
from amrg.service.signing import BadEdit, NotAcknowledged, NotAllowed, NotFound, SigningError, StaleVersion

MEDIA_TYPE = "application/problem+json"


class ProblemDocument(Value):
    """An error. `detail` is one line for a person; `problems` are those of single fields, or what to acknowledge."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    problems: tuple[dict[str, str], ...] = ()


class ApiError(Exception):
    """Ends a request with a status and one line."""

    def __init__(
        self,
        status: int,
        detail: str,
        problems: tuple[dict[str, str], ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        """The status and the line; `problems` where there are several, and headers that the status needs."""
        super().__init__(detail)
        self.status, self.detail, self.problems, self.headers = status, detail, problems, headers


RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"model": ProblemDocument, "description": HTTPStatus(code).phrase, "content": {MEDIA_TYPE: {}}}
    for code in (400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429, 503)
}
"""What any request may end with, for the OpenAPI document."""

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (LoginRefused, 401),
    (AccountError, 409),
    (NoSuchJob, 409),
    (StaleDataError, 409),
    (PoolTimeout, 503),
    (NotAllowed, 403),
    (NotFound, 404),
    (StaleVersion, 412),
    (BadEdit, 422),
    (SigningError, 409),
    (AmrgError, 409),
)


_DETAILS = {
    400: "the body cannot be read as JSON",
    404: "no such path; /api/v1/openapi.json has all of them",
    405: "the path has no such method; header Allow names those that it has",
}


def problem(
    status: int, detail: str = "", problems: tuple[dict[str, str], ...] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """An error as a response."""
    body = ProblemDocument(title=HTTPStatus(status).phrase, status=status, detail=detail, problems=problems)
    return JSONResponse(body.model_dump(mode="json"), status, headers, MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""

    @app.exception_handler(ApiError)
    async def _api(_: Request, error: ApiError) -> JSONResponse:
        return problem(error.status, error.detail, error.problems, error.headers)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, _DETAILS.get(error.status_code, ""), headers=dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def _unexpected(_: Request, error: Exception) -> JSONResponse:
        return problem(500, "something unexpected; the log has it, and nothing was changed")

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # The value that was sent is not repeated: it may name a patient.
        found = tuple(
            {"field": ".".join(map(str, one["loc"])).encode("ascii", "replace").decode(), "message": str(one["msg"])}
            for one in error.errors()[:20]
        )
        return problem(422, "the request is not as the OpenAPI document describes it", found)

    @app.exception_handler(DBAPIError)
    async def _database(_: Request, error: DBAPIError) -> JSONResponse:
        if not error.connection_invalidated and not isinstance(error, OperationalError):
            raise error
        return problem(
            503, "the database does not answer; nothing was changed, try again", headers={"Retry-After": "5"}
        )

    @app.exception_handler(NotAcknowledged)
    async def _cautions(_: Request, error: NotAcknowledged) -> JSONResponse:
        found = tuple({"key": caution.key, "message": caution.message} for caution in error.cautions)
        return problem(409, "not signed: read these and acknowledge their keys", found)

    for kind, status in _STATUS:
        app.add_exception_handler(kind, _line(status))


def _line(status: int) -> Any:
    async def handle(_: Request, error: Exception) -> JSONResponse:
        return problem(status, " ".join(str(error).split()))

    return handle
