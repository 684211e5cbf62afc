"""Envelope: what surrounds every answer: request id, security headers, errors, one log line."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from api.metrics.traffic import Ended
from api.problems import INTERNAL, UNAVAILABLE, UNREADABLE, Rejected, answer, problem_of
from exporter.tracing import is_on, span

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.installation import Installation
    from api.opening import Opening

QUIET = {"/livez", "/readyz", "/metrics"}
"""Routes that machines ask all the time: a line of these is for whoever looks for a fault."""

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

    def __init__(self, app: ASGIApp, opening: Opening) -> None:
        self._app, self._opening = app, opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request; whatever is raised inside becomes an answer too."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        exchange = _Exchange(scope, receive, send, self._opening.house)
        if not is_on():
            return await exchange.run(self._app)
        parent = Headers(scope=scope).get("traceparent")
        with span("request", parent=parent, kind="SERVER") as traced:
            await exchange.run(self._app)
            exchange.tell(traced)
        return None


class _Exchange:
    def __init__(
        self, scope: Scope, receive: Receive, send: Send, house: Installation | None
    ) -> None:
        self._request_id = token_hex(16)
        self._state = {**scope.get("state", {}), "request_id": self._request_id, "told": {}}
        path = scope["raw_path"].decode("latin-1")
        self._scope: Scope = {**scope, "path": path, "state": self._state}
        self._receive, self._send = receive, send
        self._house = house
        self._began = self._answered = monotonic()
        self._status = self._bytes = 0
        self._code: str | None = None
        self._body_read = not has_body(scope)
        self._finished = False

    async def run(self, app: ASGIApp) -> None:
        if self._house:
            self._house.traffic.begin()
        try:
            _must_name_one_host(self._scope)
            await app(self._scope, self.receive, self.send)
        except CancelledError:
            # The server stops, and has waited long enough. The task ends here in any case.
            if self._status:
                _LOGGER.warning("the answer is cut off: the service stops", extra=self._whose)
            else:
                await self._fail(Rejected(UNAVAILABLE, STOPPING))
        except ClientDisconnect:
            _LOGGER.info("the client went away", extra=self._whose)
        except Exception as error:  # noqa: BLE001 (told to the client, and logged where not expected)
            await self._fail(error)
        finally:
            self._count()
            self._log(monotonic() - self._began)

    def tell(self, traced: Any) -> None:
        """Says of a span what the request was, in the words that all services use."""
        route = self._route or "another path"
        traced.update_name(f"{self._scope['method']} {route}")
        traced.set_attribute("http.request.method", self._scope["method"])
        traced.set_attribute("http.route", route)
        traced.set_attribute("http.response.status_code", self._status)
        traced.set_attribute("export_tasks.request_id", self._request_id)

    async def receive(self) -> Message:
        message = await self._receive()
        self._body_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._answered = message["status"], monotonic()
            self._add_headers(MutableHeaders(scope=message))
        else:
            self._bytes += len(message.get("body", b""))
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
        problem = problem_of(error)
        told = isinstance(error, Rejected)
        if problem is INTERNAL or (self._status and not told):
            _LOGGER.error("the request failed", exc_info=error, extra=self._whose)
        if not self._status or problem is UNAVAILABLE:
            self._code = problem.code
        if not self._status:
            await answer(error)(self._scope, self.receive, self.send)

    @property
    def _route(self) -> str | None:
        """The path as the route table writes it."""
        return getattr(self._scope.get("endpoint"), "path", None)

    @property
    def _whose(self) -> dict[str, Any]:
        return {"keys": {"request_id": self._request_id}}

    def _count(self) -> None:
        if self._house:
            seconds = self._answered - self._began
            code = self._code or self._state.get("refused")  # a page tells its own
            ended = Ended(self._status, code, self._finished, seconds)
            self._house.traffic.end(self._scope.get("endpoint"), self._scope["method"], ended)

    def _log(self, seconds: float) -> None:
        """One line; neither path, query, address nor header is in it, which may hold anything."""
        route = self._route
        level = logging.DEBUG if route in QUIET else logging.INFO
        if not _LOGGER.isEnabledFor(level):
            return
        identity = self._state.get("identity")
        keys = {
            "method": self._scope["method"],
            "route": route,
            "status": self._status,
            "duration_s": round(seconds, 6),
            "bytes": 0 if self._scope["method"] == "HEAD" else self._bytes,
            "request_id": self._request_id,
            "by": identity.user_id if identity else None,
            **self._state["told"],
        }
        if not self._finished:
            keys["cut"] = True
        _LOGGER.log(level, "request", extra={"keys": keys})


def _must_name_one_host(scope: Scope) -> None:
    """RFC 9112, 3.2: else it is judged by one name and perhaps routed by the other."""
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    if hosts > 1 or (not hosts and scope["http_version"] != "1.0"):
        raise Rejected(UNREADABLE, "A request has one Host header.")


def has_body(scope: Any) -> bool:
    """Does a request say that it brings a body?"""
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
