"""Envelope: what surrounds every answer: request id, security headers, errors, one log line."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect

from api.problems import INTERNAL, UNAVAILABLE, Rejected, answer, problem_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH_LOGGED = 200
STOPPING = "The service is stopping; try again."

ALWAYS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}

_ALWAYS = [(name.encode(), value.encode()) for name, value in ALWAYS.items()]

_LOGGER = logging.getLogger(__name__)


class Envelope:
    """Middleware: the outermost of ours, so that no answer goes without it.

    Routes are found by the path as it was sent: a slash that was written `%2F` separates nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request; whatever is raised inside becomes an answer too."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        return await _Exchange(scope, receive, send).run(self._app)


class _Exchange:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._request_id = token_hex(16)
        state = {**scope.get("state", {}), "request_id": self._request_id}
        path = scope["raw_path"].decode("latin-1")
        self._scope: Scope = {**scope, "path": path, "state": state}
        self._receive, self._send = receive, send
        self._status = 0
        self._body_read = not has_body(scope)
        self._finished = False

    async def run(self, app: ASGIApp) -> None:
        began = monotonic()
        try:
            await app(self._scope, self.receive, self.send)
        except CancelledError:
            # The server stops, and has waited long enough. The task ends here in any case.
            await self._fail(Rejected(UNAVAILABLE, STOPPING))
        except ClientDisconnect:
            _LOGGER.info("%s: the client went away", self._request_id)
        except Exception as error:  # noqa: BLE001 (told to the client, and logged where not expected)
            await self._fail(error)
        finally:
            self._log((monotonic() - began) * 1000)

    async def receive(self) -> Message:
        message = await self._receive()
        self._body_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._add_headers(MutableHeaders(scope=message))
        await self._send(message)
        self._finished = message["type"] == "http.response.body" and not message.get("more_body")

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers.setdefault("cache-control", "no-store")
        headers.raw.append((b"x-request-id", self._request_id.encode()))
        if not self._body_read:  # perhaps without an end: it is not waited for
            headers["connection"] = "close"
        if "content-security-policy" not in headers:  # a page of the console has its own
            headers.raw.extend(_ALWAYS)

    async def _fail(self, error: Exception) -> None:
        if problem_of(error) is INTERNAL or self._status:
            _LOGGER.error("%s: failed", self._request_id, exc_info=error)
        if not self._status:
            await answer(error)(self._scope, self.receive, self.send)

    def _log(self, milliseconds: float) -> None:
        path = self._scope["path"].encode("ascii", "backslashreplace").decode()[:PATH_LOGGED]
        broken = "" if self._finished else " (broken off)"
        _LOGGER.info(
            "%s %s %d %.1f ms %s%s",
            self._scope["method"],
            path,
            self._status,
            milliseconds,
            self._request_id,
            broken,
        )


def has_body(scope: Any) -> bool:
    """Does a request say that it brings a body?"""
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
