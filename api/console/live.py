"""Live: one stream of news to a browser, from the position at which its page was made."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from msgspec import json
from starlette.responses import Response

from api.console.page import HEADERS, page
from api.console.sessions import claims_of, may
from api.problems import UNAVAILABLE, Rejected
from domain.access.actions import ON_EXPORTS
from domain.commands import check
from domain.refusals import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio import Event
    from starlette.types import Receive, Scope, Send

    from api.console.watcher import News, Viewer, Watcher
    from api.requests import Asked
    from domain.conditions import OwnerId

SEND_SECONDS = 60.0
"""How long a browser may take nothing of what is sent before it is given up."""

STREAMS_OF_ONE = 32
"""Streams that one owner may have from one process: a browser has one, whatever its tabs; and each
multiplies what every event costs."""

FAREWELL_SECONDS = 3.0
"""How long a stream may take to end when the service stops."""

DOUBTFUL = ("people", "stale")
"""News after which the session may not hold: the second may stand for the first."""

AGAIN_MILLISECONDS = 1000
"""After which a browser asks another process, once its stream has ended."""

_DIGITS = 18


def live(asked: Asked) -> Response:
    """The owner's news. Raises Rejected where too many listen already."""
    if asked.house.watcher.viewers(asked.owner) >= STREAMS_OF_ONE:
        message = f"There are {STREAMS_OF_ONE} streams of this user's news already."
        raise Rejected(UNAVAILABLE, message, {"retry-after": "5"})
    return Live(asked, asked.owner)


class Live(Response):
    """News of an owner, or of all owners (None), until the session ends or the service stops.

    Whoever makes one has seen to it that they are for whoever asks, and makes it in a thread: on
    the event loop no store is asked, nor its clock. `after` in the address is the position from
    which the page was made: what came since is sent first.
    """

    def __init__(self, asked: Asked, owner: OwnerId | None) -> None:
        super().__init__()
        self._asked, self._owner = asked, owner
        self._after = _after(asked)
        self._claims, self._in_doubt = claims_of(asked), False
        left = self._claims.expires_at - asked.house.ledger.journal.clock().timestamp()
        self._ends = monotonic() + left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until it ends."""
        # Late: nobody needs it who has no page open.
        from anyio import Event
        from sse_starlette import EventSourceResponse

        stopping = Event()
        response = EventSourceResponse(
            self._events(stopping),
            headers=HEADERS,
            send_timeout=SEND_SECONDS,
            shutdown_event=stopping,
            shutdown_grace_period=FAREWELL_SECONDS,
        )
        await response(scope, receive, send)

    async def _events(self, stopping: Event) -> AsyncIterator[dict[str, Any]]:
        watcher = self._asked.house.watcher
        with watcher.viewing(self._owner) as viewer:
            yield {"comment": "live", "retry": AGAIN_MILLISECONDS}
            async for news in self._heard(watcher, viewer, stopping):
                if not await self._holds(news):
                    yield {"event": "ended", "data": "{}"}
                    return
                if news and news.what != "people":
                    yield _event(news)
            yield {"event": "bye", "data": "{}", "retry": AGAIN_MILLISECONDS}

    async def _heard(
        self, watcher: Watcher, viewer: Viewer, stopping: Event
    ) -> AsyncIterator[News | None]:
        """What came since the page, then what comes; None where time may have ended the session."""
        last = self._after
        for each in await watcher.since(self._after, self._owner):
            yield each
            last = each.position
        while not stopping.is_set():
            news = await _next(viewer, stopping, self._ends - monotonic())
            if news is None or news.what in DOUBTFUL or news.position > last:
                yield news

    async def _holds(self, news: News | None) -> bool:
        """Does the session still hold? The store is asked only where something about people is new,
        or news of that may have been dropped; and again, while it does not answer.
        """
        if monotonic() >= self._ends:
            return False
        self._in_doubt |= news is not None and news.what in DOUBTFUL
        if not self._in_doubt:
            return True
        return await to_thread.run_sync(self._still_may, limiter=self._asked.house.requests)

    def _still_may(self) -> bool:
        asked = self._asked
        try:
            user = asked.house.queries.user(asked.user_id)
            same = user is not None and user.password_version == self._claims.password_version
            holds = same and self._permitted(asked)
        except Unavailable:
            return True
        self._in_doubt = False
        return holds

    def _permitted(self, asked: Asked) -> bool:
        return may(asked, ON_EXPORTS + "queryList")


async def _next(viewer: Viewer, stopping: Event, seconds: float) -> News | None:
    """News; None where there were none in this time, or the service stops."""
    waiting = asyncio.ensure_future(viewer.next())
    stop = asyncio.ensure_future(stopping.wait())
    try:
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait((waiting, stop), timeout=max(0.0, seconds), return_when=first)
        return waiting.result() if waiting.done() else None
    finally:
        waiting.cancel()
        stop.cancel()


def _event(news: News) -> dict[str, Any]:
    told = {
        "task": news.task_id,
        "what": news.what,
        "rows": news.rows,
        "total": news.total,
        "progress": news.progress,
    }
    return {"id": str(news.position), "event": "news", "data": json.encode(told).decode()}


def _after(asked: Asked) -> int:
    """The later of the page's position and, where a stream goes on, of the last event it sent."""
    sent = (
        asked.request.query_params.get("after", "0"),
        asked.request.headers.get("last-event-id", "0"),
    )
    for text in sent:
        is_position = text.isascii() and text.isdigit() and len(text) <= _DIGITS
        check("after", is_position, "must be a position")
    return max(map(int, sent))


PAGES = (page("GET", "/live", "Live", live, permission=ON_EXPORTS + "queryList"),)
