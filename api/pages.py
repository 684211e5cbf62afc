"""Pages: the API's document, for programs and for people, and the front page."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from api.requests import Call, as_json
from api.version import VERSION

if TYPE_CHECKING:
    from api.requests import Asked

HTML = "text/html; charset=utf-8"
CSS = "text/css; charset=utf-8"
POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
SUMMARY = "IoTDA's export-task API, self-hosted."


def openapi_json(_: Asked) -> Response:
    """The API as an OpenAPI document."""
    return as_json(described())


def docs(_: Asked) -> Response:
    """The API for people, to be read without a script and without a network."""
    return Response(_docs(), media_type=HTML, headers={"content-security-policy": POLICY})


def docs_css(_: Asked) -> Response:
    """What it looks like."""
    from api.reference.page import style

    return Response(style(), media_type=CSS)


def front(_: Asked) -> Response:
    """What this is, and what there is to see."""
    return Response(_front(), media_type=HTML)


@cache
def described() -> dict[str, Any]:
    """The document of this API. Made when it is first asked for: most processes never are."""
    from api.openapi import document
    from api.routes import CALLS

    return document(CALLS)


@cache
def _docs() -> str:
    from api.reference.page import page

    return page(described())


def _page(path: str, name: str, summary: str, handle: Any, **more: Any) -> Call:
    return Call(
        method="GET",
        path=path,
        name=name,
        summary=summary,
        handle=handle,
        statuses=(200,),
        open=True,
        light=True,
        **more,
    )


PAGES = (
    _page("/openapi.json", "OpenApi", "This API as a document", openapi_json, tag="Service"),
    _page("/docs", "Docs", "This API for people", docs, tag="Service", media_type=HTML),
    _page("/docs.css", "DocsStyle", "How /docs looks", docs_css, media_type=CSS),
    _page("/", "Front", "What this is", front, media_type=HTML),
)


def _front() -> str:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<title>export-tasks</title></head>\n<body>'
        f"<main><h1>export-tasks {escape(VERSION)}</h1>"
        f"<p>{escape(SUMMARY)} Batch tasks' results as spreadsheets, for programs written "
        "for IoTDA's application side.</p>"
        '<ul><li><a href="/docs">The API, for people</a></li>'
        '<li><a href="/openapi.json">The API as an OpenAPI document</a></li>'
        '<li><a href="/readyz">Is the service ready?</a></li></ul></main></body></html>\n'
    )
