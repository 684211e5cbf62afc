"""A bare Starlette route in a process of its own: the API worker's server, none of its work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from scripts.logs import log_to_stderr
from scripts.worker import serve_app

if TYPE_CHECKING:
    from starlette.requests import Request


def application() -> Starlette:
    """Every GET is answered with the document at hand, made into JSON each time."""
    content = json.loads(Path(sys.argv[2]).read_bytes())

    async def answer(_: Request) -> JSONResponse:
        return JSONResponse(content)

    return Starlette(routes=[Route("/{path:path}", answer)])


if __name__ == "__main__":
    log_to_stderr()
    serve_app(application(), int(sys.argv[1]))
