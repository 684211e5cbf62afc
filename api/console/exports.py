"""My exports: the list, and what can be done to one of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.page import page
from api.console.rendering import render

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked

PERMISSION = "iotda:exporttasks:"


def mine(asked: Asked) -> Response:
    """The owner's exports, newest first."""
    return render(asked, "exports.html")


PAGES = (page("GET", "/", "MyExports", mine, permission=PERMISSION + "queryList"),)
