"""Rendering: templates to HTML, with the headers that every page of the console has."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse, Response

from api.console import words
from api.console.assets import address
from api.console.page import HEADERS, HTML
from api.console.tabs import TABS

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

    from api.requests import Asked


def render(asked: Asked, template: str, status: int = 200, **values: Any) -> Response:
    """A page for whoever is signed in, under the console's head and tabs.

    `address` is its path with the query; `stream` differs between those who may be signed in, one
    after the other, in one browser.
    """
    url = asked.request.url
    return bare(
        template,
        status,
        **head(asked),
        address=f"{url.path}?{url.query}" if url.query else url.path,
        stream=sha256(dumps(asked.owner).encode()).hexdigest()[:16],
        **values,
    )


def head(asked: Asked) -> dict[str, Any]:
    """What a page's head is made of: who is signed in, where, and what they may go to; `here` is
    the page's path.
    """
    return {
        "who": asked.house.people.name_of(asked.user_id),
        "project": asked.project_id,
        "tabs": [tab for tab in TABS if tab.shown(asked)],
        "here": asked.request.url.path,
    }


def bare(
    template: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> Response:
    """A page that needs neither a session nor the stores."""
    text = _environment().get_template(template).render(values)
    return Response(text, status, HEADERS | (headers or {}), HTML)


def needs_tls(request: Request) -> Response:
    """How to sign in safely, for whoever came over plain HTTP from elsewhere."""
    port = request.scope["server"][1]
    return bare("needs_tls.html", 403, host=request.url.netloc, port=port)


def see(path: str) -> Response:
    """What answers a form: go and look there."""
    return RedirectResponse(path, 303, HEADERS)


@cache
def _environment() -> Environment:
    # Late: a process that nobody asks for a page is the smaller for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(static=address, tabs=None)
    environment.filters.update(words.FILTERS)
    return environment
