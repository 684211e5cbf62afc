"""App: the composition root of the web side; opens everything in its lifespan."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

from api.envelope import Envelope
from api.routes import no_such_api, routes
from api.waiting import Doors, Opening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from threading import Event

    from api.settings import Settings


def create_app(settings: Settings, draining: Event | None = None) -> Starlette:
    """The API as an ASGI application; nothing is opened before its lifespan begins.

    While the database of its events is away, everything but `/livez` is answered with 503. Once
    `draining` is set, it is not ready any more, and answers as ever.
    """
    opening = Opening(settings, draining)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        with opening:
            yield {"house": opening.house}

    middleware = [Middleware(Envelope), Middleware(Doors, opening=opening)]
    app = Starlette(routes=routes(), middleware=middleware, lifespan=lifespan)
    # The official SDK takes a redirect for an empty answer.
    app.router.redirect_slashes = False
    app.router.default = no_such_api
    return app
