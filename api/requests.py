"""Requests: what is asked, by whom, and whether that one may; the same way in for every call."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

from anyio import fail_after, sleep, to_thread
from msgspec import json
from starlette.responses import Response

from api.access.lockout import HELD_BACK_SECONDS, HeldBack
from api.access.permissions import permission
from api.access.side_log import RefusedRequest
from api.access.signatures import NotAuthentic, RawRequest, Unproven
from api.addresses import plain
from api.envelope import has_body
from api.problems import NO_PROJECT, NOT_PERMITTED, TOO_LARGE, Rejected, problem_of
from api.reading import Unreadable
from domain.access.rules import PROJECT_ID
from domain.conditions import OwnerId
from domain.fact import Caller
from domain.refusals import Invalid, NotThere
from exporter.tracing import traceparent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio import CapacityLimiter
    from starlette.requests import Request

    from api.access.authenticate import Identity
    from api.installation import Installation
    from api.problems import Problem

BODY_MOST = 64 * 1024
"""The longest body that is read, in bytes (contract, section 1)."""

BODY_SECONDS = 20.0
"""How long a body may take to arrive."""

_AT = re.compile(rb"(?:^|&)at=")

NOT_THE_USERS = "Operation not allowed. The project is unknown or not the user's."


def by_headers(asked: Asked) -> Identity:
    """Who signed the request, or whose token it carries. Raises NotAuthentic."""
    now = asked.house.ledger.journal.clock()
    return asked.house.doorkeeper.authenticate(_raw(asked.request, asked.body), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A row of the route table, from which come routing, access, OpenAPI and the pages.

    `permission` is what a user needs in the project that the path names; or, where it names none,
    in the one that the proof of who asks is for: `prove` finds or refuses that. `open` calls need
    neither signature nor token; `light` ones no store, and are handled on the event loop; so are
    `brief` ones, which only ask the read tables, where those are at the log's head. `of_source` and
    `of_results` ones ask the source and the result store, which may be slow, and wait for none but
    each other; `of_health` ones wait for what hangs only so long. `body`, `query` and `answer` are
    `msgspec` structs, `media_type` is that of a success. `refusals` are those that not every call
    of its kind may answer; `told` names headers of an answer by its status; `sdk` a method. A call
    without a `tag` is a page, not the API's.
    """

    method: str
    path: str
    name: str
    summary: str
    handle: Callable[[Asked], Response]
    statuses: tuple[int, ...]
    prove: Callable[[Asked], Identity] = by_headers
    permission: str | None = None
    open: bool = False
    light: bool = False
    brief: bool = False
    login: bool = False
    of_source: bool = False
    of_results: bool = False
    of_health: bool = False
    head: bool = False
    body: type | None = None
    query: type | None = None
    headers: tuple[str, ...] = ()
    answer: type | None = None
    media_type: str = "application/json"
    tag: str | None = None
    refusals: tuple[Problem, ...] = ()
    told: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    sdk: str | None = None

    @property
    def has_head(self) -> bool:
        """Does it answer HEAD too?"""
        return self.method == "GET" and (self.head or self.open)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose sender, where one is needed, is known and may ask this."""

    house: Installation
    request: Request
    body: bytes
    identity: Identity | None = None
    project_id: str = ""

    @property
    def user_id(self) -> str:
        """Who asks."""
        if self.identity is None:
            raise NotAuthentic("the call is open to everybody")
        return self.identity.user_id

    @property
    def owner(self) -> OwnerId:
        """Whose tasks are asked about."""
        return OwnerId(self.project_id, self.user_id)

    @property
    def query(self) -> bytes:
        """The parameters of the query, as they were sent."""
        sent: bytes = self.request.scope["query_string"]
        return sent

    @property
    def of_the_past(self) -> bool:
        """May it ask for a time, however spelled? That is read from the log, and not briefly."""
        return bool(_AT.search(unquote_to_bytes(self.query)))

    def parameter(self, name: str) -> str:
        """A parameter of the path, decoded once."""
        return unquote(self.request.path_params[name])

    def header(self, name: str) -> str | None:
        """A header of which there may be one.

        Raises:
            Invalid: there are more.
        """
        values = self.request.headers.getlist(name)
        if len(values) > 1:
            raise Invalid(name, "is given more than once")
        return values[0] if values else None

    def joined(self, name: str) -> str | None:
        """A header that may be given in several lines, as one list."""
        return ", ".join(self.request.headers.getlist(name)) or None

    def caller(self) -> Caller:
        """Who asks and in which request, for the event that follows."""
        key = self.identity.access_key if self.identity else None
        request_id: str = self.request.state.request_id
        return Caller(self.user_id, request_id, key, self._sealed_address(), traceparent())

    def tell(self, **keys: object) -> None:
        """Adds to what the request's log line says."""
        self.request.state.told.update(keys)

    @property
    def address(self) -> str | None:
        """Whence it is asked: the peer, or whom a proxy that is believed names."""
        return plain(self.request.client.host) if self.request.client else None

    def _sealed_address(self) -> str | None:
        if self.address is None or not self.house.settings.record_addresses:
            return None
        try:
            return self.house.people.vault.seal_address(self.user_id, self.address)
        except NotThere:  # forgotten since the request was let in
            raise NotAuthentic("the user was removed") from None


def as_json(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(json.encode(document), status, headers, "application/json")


async def answer(call: Call, request: Request, wrong: Rejected | None = None) -> Response:
    """Reads the body, then lets the request in; off the event loop, wherever that may wait.

    What is `wrong` is raised, and counted, as any refusal.
    """
    house: Installation = request.state.house
    body = await _read_body(request)
    asked = Asked(house, request, body)
    try:
        if wrong:
            raise wrong
        response = await _handled(call, asked)
        if not call.open:  # some of those are answered before the house is
            house.troubles.succeeds(call, response.status_code)
        return response
    except Exception as error:
        if house:
            house.troubles.fails(call, error)
        if not house or problem_of(error).status not in (401, 403):
            raise
        seconds = await to_thread.run_sync(_note, call, asked, error, limiter=house.requests)
        if not (seconds and isinstance(error, Unproven)):
            raise
        await sleep(HELD_BACK_SECONDS)
        raise HeldBack(error.reason, seconds) from error


async def _handled(call: Call, asked: Asked) -> Response:
    if call.light:
        return call.handle(asked)
    if call.brief and not asked.of_the_past and (found := _at_once(call, asked)):
        return found
    return await to_thread.run_sync(_handle, call, asked, limiter=_limiter(call, asked))


def _limiter(call: Call, asked: Asked) -> CapacityLimiter:
    house = asked.house
    if call.login:
        return house.logins
    if call.of_source:
        return house.sources
    if call.of_results:
        return house.downloads
    if call.of_health:
        return house.probing
    if call.method in ("POST", "DELETE"):
        return house.writes
    return house.pasts if asked.of_the_past else house.requests


def _at_once(call: Call, asked: Asked) -> Response | None:
    """The answer, on the event loop; None where the tables would have to be caught up first.

    What is asked of local tables takes less time than handing it to a thread and back.
    """
    with asked.house.queries.follower.once(brief=True) as current:
        return _answer(call, asked) if current else None


def _handle(call: Call, asked: Asked) -> Response:
    if call.open:
        return call.handle(asked)
    with asked.house.queries.follower.once():
        return _answer(call, asked)


def _answer(call: Call, asked: Asked) -> Response:
    """Who (401), then in which project (403), then whether that one may (403), then the call.

    Raises:
        NotAuthentic: there is no proof of who asks.
        Rejected: the project is not the user's, or the permission is missing.
    """
    identity = call.prove(asked)
    asked.request.state.identity = identity
    if call.permission is None:
        return call.handle(replace(asked, identity=identity))
    project_id = _project_of(asked, identity)
    _must_be_permitted(asked.house, identity, project_id, call.permission)
    return call.handle(replace(asked, identity=identity, project_id=project_id))


def _project_of(asked: Asked, identity: Identity) -> str:
    named = "project_id" in asked.request.path_params
    return asked.parameter("project_id") if named else identity.project_id or ""


def _note(call: Call, asked: Asked, error: Exception) -> float:
    """Counts a refusal; says for how long wrong signatures like this one are too many."""
    known: Identity | None = getattr(asked.request.state, "identity", None)
    who = error if isinstance(error, Unproven) else known
    refused = RefusedRequest(
        at=asked.house.ledger.journal.clock(),
        code=problem_of(error).code,
        call=call.name,
        request_id=asked.request.state.request_id,
        user_id=who.user_id if who else None,
        access_key=who.access_key if who else None,
        address=asked.address,
        claimed=error.claimed if isinstance(error, Unproven) else None,
    )
    return asked.house.side_log.note(refused)


def _must_be_permitted(
    house: Installation, identity: Identity, project_id: str, action: str
) -> None:
    if identity.project_id not in (None, project_id) or not PROJECT_ID.fullmatch(project_id):
        raise Rejected(NO_PROJECT, NOT_THE_USERS)
    member = house.queries.member(project_id, identity.user_id)
    if member is None:
        raise Rejected(NO_PROJECT, NOT_THE_USERS)
    if not permission(house.queries, member, action).allowed:
        message = f"Operation not allowed. The user does not have the permission {action}."
        raise Rejected(NOT_PERMITTED, message)


def _raw(request: Request, body: bytes) -> RawRequest:
    """The request as it came over the wire: the signature is of that, not of what it means."""
    scope: Any = request.scope
    headers = tuple(scope["headers"])
    return RawRequest(scope["method"], scope["raw_path"], scope["query_string"], headers, body)


async def _read_body(request: Request) -> bytes:
    if not has_body(request.scope):
        return b""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:9]) > BODY_MOST:
        raise _too_large()
    body = bytearray()
    try:
        with fail_after(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_MOST:
                    raise _too_large()
    except TimeoutError:
        message = f"The body did not arrive within {BODY_SECONDS:g} seconds."
        raise Unreadable(message) from None
    if not body and "upgrade" in request.headers:  # the server takes it for another protocol's
        raise Unreadable("A request with a body must not ask for an Upgrade: send it in HTTP/1.1.")
    return bytes(body)


def _too_large() -> Rejected:
    return Rejected(TOO_LARGE, f"The body is larger than {BODY_MOST} bytes.")
