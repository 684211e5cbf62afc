"""Endpoints: how a request finds its row of the route table, by path and method."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route

from api.problems import METHOD, NO_API, Rejected
from api.requests import answer
from api.routes import CALLS

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from api.requests import Call


class Endpoint:
    """One path: each method its call. HEAD where a call allows it, or everybody may GET."""

    def __init__(self, calls: list[Call]) -> None:
        self._calls = {call.method: call for call in calls}
        read = self._calls.get("GET")
        if read and read.has_head:
            self._calls["HEAD"] = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or raises for a method that is not supported."""
        call = self._calls.get(scope["method"])
        if call is None:
            allow = ", ".join(sorted(self._calls))
            raise Rejected(METHOD, "The method is not supported.", {"allow": allow})
        response = await answer(call, Request(scope, receive))
        await response(scope, receive, send)


async def no_such_api(scope: Scope, receive: Receive, send: Send) -> None:
    """For every other path."""
    del scope, receive, send
    raise Rejected(NO_API, "The API does not exist.")


def routes() -> list[Route]:
    """A route for each path; the project's first, as they are tried in turn."""
    calls = sorted(CALLS, key=lambda call: call.path, reverse=True)
    by_path = groupby(calls, key=lambda call: call.path)
    return [Route(path, Endpoint(list(calls))) for path, calls in by_path]
