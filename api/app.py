"""App: the composition root of the web side; opens everything in its lifespan."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from anyio import create_task_group, sleep
from starlette.applications import Starlette
from starlette.middleware import Middleware

from api.console import table
from api.envelope import Envelope
from api.installation import open_installation
from api.opening import Doors, Opening
from api.routes import CALLS, no_such_api, routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager
    from threading import Event

    from starlette.types import Receive, Scope, Send

    from api.installation import Installation
    from api.settings import Settings

LOOK_SECONDS = 0.2
"""How often it is looked whether a service that waited has been opened."""


def create_app(settings: Settings, draining: Event | None = None) -> Starlette:
    """The API as an ASGI application; nothing is opened before its lifespan begins.

    While the database of its events is away, everything but `/livez` is answered with 503. Once
    `draining` is set, it is not ready any more, and answers as ever.
    """
    all_routes = [*table.routes(), *routes()]

    def opener() -> AbstractContextManager[Installation]:
        return open_installation(settings, (*table.PAGES, *CALLS), all_routes, draining)

    opening = Opening(settings, opener)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        with opening:
            async with create_task_group() as tasks:
                tasks.start_soon(_watch_pools, opening)
                yield {"house": opening.house}
                tasks.cancel_scope.cancel()

    middleware = [Middleware(Envelope, opening=opening), Middleware(Doors, opening=opening)]
    app = Starlette(routes=all_routes, middleware=middleware, lifespan=lifespan)
    # The official SDK takes a redirect for an empty answer.
    app.router.redirect_slashes = False
    app.router.default = _nothing
    return app


async def _watch_pools(opening: Opening) -> None:
    while opening.house is None:
        await sleep(LOOK_SECONDS)
    await opening.house.pools.watch()


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    nothing = table.no_such_page if table.is_browser(scope) else no_such_api
    await nothing(scope, receive, send)
