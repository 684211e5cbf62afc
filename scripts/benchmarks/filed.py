"""A Starlette `FileResponse` in a process of its own: the API worker's server, one file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

from scripts.logs import log_to_stderr
from scripts.worker import serve_app

if TYPE_CHECKING:
    from starlette.requests import Request


def application() -> Starlette:
    """Every GET is answered with the file."""

    async def answer(_: Request) -> FileResponse:
        return FileResponse(sys.argv[2])

    return Starlette(routes=[Route("/{path:path}", answer)])


if __name__ == "__main__":
    log_to_stderr()
    serve_app(application(), int(sys.argv[1]))
