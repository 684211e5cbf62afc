"""A bare Starlette route in a process of its own: the API worker's server, none of its work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import api.app
from api.settings import Settings
from scripts.worker import serve_api

if TYPE_CHECKING:
    from starlette.requests import Request


def application(settings: Settings) -> Starlette:
    """Every GET is answered with the document at hand, made into JSON each time."""
    del settings
    content = json.loads(Path(sys.argv[2]).read_bytes())

    async def answer(_: Request) -> JSONResponse:
        return JSONResponse(content)

    return Starlette(routes=[Route("/{path:path}", answer)])


if __name__ == "__main__":
    # The worker takes its application from there: so the server is the same, to its last setting.
    api.app.create_app = application
    serve_api(Settings.read(), int(sys.argv[1]))
