"""OpenAPI: the document of the API, made from the route table and the messages' definitions."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from msgspec.json import schema_components

from api.messages import Error
from api.problems import PROBLEMS
from api.version import VERSION
from domain.access.rules import PROJECT_ID
from domain.commands import BATCH_TASK_ID, INSTANCE_ID_LENGTH, TASK_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.requests import Call

REFERENCE = "#/components/schemas/{name}"

_PARAMETERS = {
    "project_id": {"type": "string", "pattern": f"^{PROJECT_ID.pattern}$"},
    "task_id": {"type": "string", "pattern": f"^{BATCH_TASK_ID.pattern}$"},
    "export_task_id": {"type": "string", "pattern": f"^{TASK_ID.pattern}$"},
    "Instance-Id": {"type": "string", "minLength": 1, "maxLength": INSTANCE_ID_LENGTH},
    "Range": {"type": "string", "examples": ["bytes=0-1023"]},
    "If-Range": {"type": "string"},
    "If-None-Match": {"type": "string"},
    "If-Modified-Since": {"type": "string"},
}
_SECURITY = {
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "SDK-HMAC-SHA256 or V11-HMAC-SHA256 over the request, with X-Sdk-Date.",
    },
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Auth-Token",
        "description": "A token from POST /v3/auth/tokens, good for 24 hours.",
    },
}


def document(calls: Iterable[Call]) -> dict[str, Any]:
    """OpenAPI 3.1 of these calls."""
    calls = tuple(calls)
    shapes = {shape for call in calls for shape in (call.body, call.query, call.answer) if shape}
    _, schemas = schema_components(sorted(shapes | {Error}, key=str), ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, schemas)
    queries = {call.query.__name__ for call in calls if call.query}
    kept = {name: schema for name, schema in schemas.items() if name not in queries}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "export-tasks",
            "version": VERSION,
            "summary": "IoTDA's export-task API, self-hosted.",
        },
        "paths": paths,
        "components": {"schemas": kept, "securitySchemes": _SECURITY},
    }


def _operation(call: Call, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary,
        "security": [] if call.open else [{"signature": []}, {"token": []}],
        "responses": {str(status): _response(call, status) for status in call.statuses},
    }
    if call.permission:
        operation["description"] = f"Needs the permission {call.permission}."
    if parameters := [*_path_and_headers(call), *_query(call, schemas)]:
        operation["parameters"] = parameters
    if call.example:
        operation["requestBody"] = {"required": True, "content": _json(call.body, call.example)}
    return operation


def _path_and_headers(call: Call) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", call.path):
        yield {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]}
    for name in call.headers:
        yield {"name": name, "in": "header", "required": False, "schema": _PARAMETERS[name]}


def _query(call: Call, schemas: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if call.query is None:
        return
    shape = schemas[call.query.__name__]
    for name, schema in shape["properties"].items():
        required = name in shape.get("required", ())
        yield {"name": name, "in": "query", "required": required, "schema": schema}


def _response(call: Call, status: int) -> dict[str, Any]:
    if status >= HTTPStatus.BAD_REQUEST:
        codes = [f"{each.code}: {each.when}" for each in PROBLEMS if each.status == status]
        return {"description": "; ".join(codes), "content": _json(Error)}
    told: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return told
    if call.media_type != "application/json":
        return told | {"content": {call.media_type: {}}}
    return told | {"content": _json(call.answer)}


def _json(shape: type | None, example: Any = None) -> dict[str, Any]:
    reference = REFERENCE.format(name=shape.__name__) if shape else None
    schema = {"$ref": reference} if reference else {"type": "object"}
    content = {"schema": schema} | ({"example": example} if example else {})
    return {"application/json": content}
