"""What every request and answer passes: limits of size, no compressed bodies, headers that browsers obey."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amrg.service.api.problems import problem

JSON_LIMIT = 2**20  # bytes

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Protection:
    """Middleware: refuses bodies that are too large or compressed, and adds the headers."""

    def __init__(self, app: ASGIApp, upload_path: str, upload_limit: int) -> None:
        """`upload_path` takes bodies of up to `upload_limit` bytes, any other `JSON_LIMIT`."""
        self._app, self._upload_path, self._upload_limit = app, upload_path, upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        protected = _with_headers(send, scope.get("scheme") == "https")
        headers = Headers(scope=scope)
        limit = self._upload_limit if scope["path"] == self._upload_path else JSON_LIMIT
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            # What is compressed may be a thousand times as large as it looks.
            await problem(415, "compressed bodies are not accepted; send it as it is")(scope, receive, protected)
            return
        stated = headers.get("content-length", "0")
        if not stated.isdecimal() or int(stated[:18]) > limit:
            await problem(413, f"the body is larger than {limit} bytes")(scope, receive, protected)
            return
        await self._limited(scope, receive, protected, limit)

    async def _limited(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        size, started = 0, False

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except _TooLarge:
            if not started:
                await problem(413, f"the body is larger than {limit} bytes")(scope, receive, send)


class _TooLarge(BaseException):
    """More arrived than the headers stated. No `Exception`: nothing between here and the middleware may catch it."""


def _with_headers(send: Send, is_https: bool) -> Send:
    async def protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            if is_https:
                headers["Strict-Transport-Security"] = "max-age=31536000"
        await send(message)

    return protected


class RateLimit:
    """At most so many calls of one caller within a time; of how many callers is bounded too."""

    def __init__(self, most: int, seconds: float, callers: int = 10_000) -> None:
        """`most` calls in `seconds`, remembered of the last `callers`."""
        self._most, self._seconds, self._callers = most, seconds, callers
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def seconds_to_wait(self, caller: str) -> float:
        """0 where the call may be made, and is counted; else how long until one may be."""
        now = time.monotonic()
        with self._lock:
            calls = self._calls.setdefault(caller, deque())
            self._calls.move_to_end(caller)
            while len(self._calls) > self._callers:
                self._calls.popitem(last=False)
            while calls and calls[0] <= now - self._seconds:
                calls.popleft()
            if len(calls) >= self._most:
                return calls[0] + self._seconds - now
            calls.append(now)
            return 0.0
