"""Pages: plain HTML without scripts or styles, made from the API's document."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from api.openapi import document
from api.problems import PROBLEMS
from api.requests import Call, as_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.requests import Asked

HTML = "text/html; charset=utf-8"


def pages(calls: Iterable[Call]) -> tuple[Call, ...]:
    """The document of these calls, and the same for people."""
    described = document(calls)
    html = _docs(described)

    def openapi_json(_: Asked) -> Response:
        return as_json(described)

    def docs(_: Asked) -> Response:
        return Response(html, media_type=HTML)

    return (
        _page("/openapi.json", "OpenApi", "This API as an OpenAPI 3.1 document", openapi_json),
        _page("/docs", "Docs", "This API for people", docs, HTML),
    )


def _page(path: str, name: str, summary: str, handle: Any, media: str = "application/json") -> Call:
    return Call(
        method="GET",
        path=path,
        name=name,
        summary=summary,
        handle=handle,
        statuses=(200,),
        open=True,
        light=True,
        media_type=media,
    )


def _whole(title: str, body: str) -> str:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{title}</title>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def _docs(described: dict[str, Any]) -> str:
    operations = [
        _operation(method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    return _whole(
        "export-tasks: the API",
        f"<main><h1>The API</h1>{''.join(operations)}{_schemas(described)}{_errors()}</main>",
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    name = escape(operation["operationId"])
    who = "with a signature or a token" if operation["security"] else "open to everybody"
    told = " ".join(filter(None, (operation["summary"] + ".", operation.get("description"))))
    parts = [
        f'<section><h2 id="{name}">{escape(method)} {escape(path)}</h2>',
        f"<p>{name}: {escape(told)} ({who})</p>",
    ]
    if rows := [
        (each["name"], each["in"], _rules(each["schema"]))
        for each in operation.get("parameters", ())
    ]:
        parts.append(_table("Parameters", ("name", "in", "rules"), rows))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        example = json.dumps(content["example"], indent=2)
        parts.append(f"<h3>Body</h3><pre>{escape(example)}</pre>")
    answers = [(code, each["description"]) for code, each in operation["responses"].items()]
    parts.append(_table("Answers", ("status", "when"), answers))
    return "".join(parts) + "</section>"


def _schemas(described: dict[str, Any]) -> str:
    shapes = [
        f"<section><h2>{escape(name)}</h2><p>{escape(schema.get('description', ''))}</p>"
        + _table(
            "Fields",
            ("name", "rules"),
            [(field, _rules(rules)) for field, rules in schema["properties"].items()],
        )
        + "</section>"
        for name, schema in described["components"]["schemas"].items()
    ]
    return "".join(shapes)


def _errors() -> str:
    rows = [(each.status or "on a task", each.code, each.when) for each in PROBLEMS]
    table = _table("Error codes", ("status", "error_code", "when"), rows)
    return f"<section><h2>Errors</h2>{table}</section>"


def _table(caption: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    def line(cells: tuple[Any, ...], cell: str) -> str:
        return "<tr>" + "".join(f"<{cell}>{escape(str(each))}</{cell}>" for each in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption><thead>{line(head, 'th')}</thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _rules(schema: dict[str, Any]) -> str:
    """A schema in words: its kind, then whatever else it says."""
    kinds = [each.get("type") or each.get("$ref", "").rpartition("/")[2] or "one of the following"
             for each in schema.get("anyOf", [schema])]  # fmt: skip
    words = [f"{name}: {value}" for each in schema.get("anyOf", [schema])
             for name, value in each.items() if name not in ("type", "$ref", "anyOf")]  # fmt: skip
    return ", ".join([" or ".join(dict.fromkeys(kinds)), *words])
