"""A bare Starlette route in a process of its own: the API worker's server, none of its work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import api.app
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from api.settings import Settings
from scripts.worker import serve_api

if TYPE_CHECKING:
    from starlette.requests import Request


def application(document: Path) -> Starlette:
    """Every GET is answered with the document, made into JSON each time."""
    content = json.loads(document.read_bytes())

    async def answer(_: Request) -> JSONResponse:
        return JSONResponse(content)

    return Starlette(routes=[Route("/{path:path}", answer)])


if __name__ == "__main__":
    # The worker takes its application from there: so the server is the same, to its last setting.
    api.app.create_app = lambda _: application(Path(sys.argv[2]))
    serve_api(Settings.read(), int(sys.argv[1]))
