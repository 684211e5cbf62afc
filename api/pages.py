"""Pages: the API's document, for programs and for people."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from api.requests import Call, as_json

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.requests import Asked

HTML = "text/html; charset=utf-8"


def openapi_json(_: Asked) -> Response:
    """The API as an OpenAPI document."""
    return as_json(described())


def docs(_: Asked) -> Response:
    """The API for people: to be read without a script, a session or a network."""
    from api.reference.page import page

    return page()


@cache
def described() -> dict[str, Any]:
    """The document of this API. Made when it is first asked for, which takes a tenth of a second,
    off the event loop; most processes never are asked.
    """
    from api.openapi import document
    from api.routes import CALLS

    return document(CALLS)


def _page(path: str, name: str, summary: str, handle: Any, **more: Any) -> Call:
    return Call(
        method="GET",
        path=path,
        name=name,
        summary=summary,
        handle=handle,
        statuses=(200,),
        open=True,
        tag="Service",
        **more,
    )


PAGES = (
    _page("/openapi.json", "OpenApi", "This API as an OpenAPI 3.1 document", openapi_json),
    _page("/docs", "Docs", "This API for people", docs, media_type=HTML),
)
