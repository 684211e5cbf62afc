"""App: the composition root of the web side; opens everything in its lifespan."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

from api.console import table
from api.envelope import Envelope
from api.routes import no_such_api, routes
from api.waiting import Doors, Opening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from api.settings import Settings


def create_app(settings: Settings) -> Starlette:
    """The API as an ASGI application; nothing is opened before its lifespan begins.

    While the database of its events is away, everything but `/livez` is answered with 503.
    """
    opening = Opening(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        with opening:
            yield {"house": opening.house}

    middleware = [Middleware(Envelope), Middleware(Doors, opening=opening)]
    app = Starlette(routes=[*table.routes(), *routes()], middleware=middleware, lifespan=lifespan)
    # The official SDK takes a redirect for an empty answer.
    app.router.redirect_slashes = False
    app.router.default = _nothing
    return app


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    nothing = table.no_such_page if table.is_browser(scope) else no_such_api
    await nothing(scope, receive, send)
