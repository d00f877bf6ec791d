"""The route for DICOM files: STOW-RS (PS3.18 10.5), each part streamed to disk and stored as a C-STORE is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import Message
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from amrg.service.api.context import Anyone, Held, Service
from amrg.service.api.problems import ApiError
from amrg.service.database.engine import reading
from amrg.service.database.tables import InstanceRow, UserRole
from amrg.service.intake import NotReceived, receive
from amrg.service.storage import Spool, TooLarge

router = APIRouter(tags=["studies"])
_DICOM = "application/dicom"
_OUT_OF_RESOURCES, _TOO_LARGE = 0xA700, 0x0110
MOST_PARTS = 5000

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"multipart/related": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class _Parts:
    """The parts of a body, each in a file."""

    def __init__(self, held: Service) -> None:
        self.spools: list[Spool] = []
        self.ended = False
        self._storage = held.storage
        self.callbacks = {"on_part_begin": self._begin, "on_part_data": self._data, "on_end": self._end}

    def _begin(self) -> None:
        if len(self.spools) >= MOST_PARTS:
            raise ApiError(413, f"more than {MOST_PARTS} parts; send them in several requests")
        self.spools.append(self._storage.spool())

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.spools[-1].write(data[start:end])

    def _end(self) -> None:
        self.ended = True

    def discard(self) -> None:
        """Remove the files that were not stored."""
        for spool in self.spools:
            self._storage.done(spool)


@router.post(
    "/studies",
    openapi_extra=_BODY,
    responses={code: {"content": {"application/dicom+json": {}}} for code in (200, 202, 409)},
)
async def store(request: Request, caller: Anyone, held: Held) -> JSONResponse:
    """Store DICOM files: 200 if all were stored, 202 if some, 409 if none; the answer names each."""
    if caller.role is UserRole.ADMINISTRATOR:
        raise ApiError(403, f"needs the role service or reader; {caller.login} has {caller.role}")
    boundary = _boundary(request.headers.get("content-type", ""))
    parts = _Parts(held)
    try:
        await _receive_parts(request.stream(), boundary, parts)
        return await run_in_threadpool(_store, held, parts, caller.login)
    finally:
        await run_in_threadpool(parts.discard)


def _boundary(content_type: str) -> str:
    """The boundary of a multipart/related body of DICOM files; its type may be quoted or not, or missing."""
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary", header="content-type")
    kind = message.get_param("type", _DICOM, header="content-type")
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str) or not boundary:
        raise ApiError(415, "the content type is another; expected multipart/related with a boundary")
    if not isinstance(kind, str) or kind.lower() != _DICOM:
        raise ApiError(415, f"parts of another type than {_DICOM} are not accepted")
    if len(boundary) > 70 or not boundary.isascii():
        raise ApiError(400, "boundary: expected at most 70 ASCII characters (RFC 2046 5.1.1)")
    return boundary


async def _receive_parts(chunks: AsyncIterator[bytes], boundary: str, parts: _Parts) -> None:
    try:
        parser = MultipartParser(boundary, parts.callbacks)  # type: ignore[arg-type]
        async for chunk in chunks:
            if chunk:
                await run_in_threadpool(parser.write, chunk)
        parser.finalize()
    except MultipartParseError as error:
        raise ApiError(400, "the body is not multipart as its header says; nothing was stored") from error
    if not parts.ended:
        raise ApiError(400, "the body ends before its last boundary; nothing was stored")
    if not parts.spools:
        raise ApiError(400, "the body has no parts; expected one for each DICOM file")


def _store(held: Service, parts: _Parts, login: str) -> JSONResponse:
    stored: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for number, spool in enumerate(parts.spools, 1):
        try:
            received = receive(held.sessions, held.storage, spool, login)
        except NotReceived as error:
            failed.append(_failure(error.status, number, str(error)))
        except TooLarge as error:
            failed.append(_failure(_TOO_LARGE, number, str(error)))
        except OSError:
            failed.append(_failure(_OUT_OF_RESOURCES, number, "no room, or the disk fails"))
        except SQLAlchemyError:
            failed.append(_failure(_OUT_OF_RESOURCES, number, "the database does not answer"))
        else:
            stored.append(_reference(held, received.instance_id))
    body: dict[str, Any] = {}
    if stored:
        body["00081199"] = {"vr": "SQ", "Value": stored}
    if failed:
        body["00081198"] = {"vr": "SQ", "Value": failed}
    status = 200 if not failed else 202 if stored else 409
    return JSONResponse(body, status, media_type="application/dicom+json")


def _reference(held: Service, instance_id: int) -> dict[str, Any]:
    """SOP Class and SOP Instance UID of a stored file."""
    with reading(held.sessions) as session:
        row = session.get_one(InstanceRow, instance_id)
        return {
            "00081150": {"vr": "UI", "Value": [row.sop_class_uid]},
            "00081155": {"vr": "UI", "Value": [row.sop_instance_uid]},
        }


def _failure(reason: int, number: int, line: str) -> dict[str, Any]:
    """Failure Reason (0008,1197), and in Error Comment (0000,0902) which part it was and what is wrong with it."""
    return {"00081197": {"vr": "US", "Value": [reason]}, "00000902": {"vr": "LO", "Value": [f"part {number}: {line}"]}}
