"""OpenAPI: the document of the API, made from the route table and the messages' definitions."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from msgspec.json import schema_components

from api import problems
from api.messages import Error, ExportTask, TaskEvent
from api.problems import PROBLEMS
from api.reference import events
from api.reference.advice import ADVICE, anchor
from api.reference.examples import EXAMPLES, Example
from api.reference.parameters import ASKED, SECURITY, TOLD, WAYS_IN
from api.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from api.problems import Problem
    from api.requests import Call

REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"
ERROR = REFERENCE.format(name=Error.__name__)

TAGS = {
    "Export tasks": "The four calls of the cloud's export-task API, and ours beside them.",
    "Batch tasks": "What can be exported; read-only.",
    "Identity": "Tokens for passwords, and one's projects.",
    "Service": "The service itself; open to everybody, and nothing of any user.",
}
ABOUT = (
    "IoTDA's export-task API, self-hosted: batch tasks' results as spreadsheets. Every answer has "
    "X-Request-Id; every error is `{error_code, error_msg}`. Beside what the calls say: another "
    "path is answered 404 (APIGW.0101), another method 405 (IOTDA.000003) with Allow, a body over "
    "64 KiB 413 (APIGW.0201), before anything else is looked at."
)


def document(calls: Iterable[Call]) -> dict[str, Any]:
    """OpenAPI 3.1 of those of the calls that are part of the API."""
    calls = tuple(call for call in calls if call.tag)
    shapes = {shape for call in calls for shape in (call.body, call.query, call.answer) if shape}
    _, schemas = schema_components(sorted(shapes | {Error}, key=str), ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        methods = paths.setdefault(call.path, {})
        methods[call.method.lower()] = _operation(call, schemas)
        if call.has_head:
            methods["head"] = _head(methods["get"])
    _link(paths)
    queries = {call.query.__name__ for call in calls if call.query}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "export-tasks",
            "version": VERSION,
            "summary": "IoTDA's export-task API, self-hosted.",
            "description": ABOUT,
        },
        "servers": [{"url": "/", "description": "where this document comes from"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas({n: s for n, s in schemas.items() if n not in queries}),
            "responses": {"InternalError": _refusal(500, [problems.INTERNAL])},
            "headers": {name: _header(name) for name in TOLD},
            "examples": {anchor(each): _example(each) for each in PROBLEMS if each.status},
            "securitySchemes": SECURITY,
        },
    }


def _link(paths: dict[str, dict[str, Any]]) -> None:
    """What can be asked of the task that a create answers."""
    made = paths["/v5/iot/{project_id}/export-tasks"]["post"]["responses"]["201"]
    given = {
        "project_id": "$request.path.project_id",
        "export_task_id": "$response.body#/export_task_id",
    }
    made["links"] = {
        operation["operationId"]: {"operationId": operation["operationId"], "parameters": given}
        for path, methods in paths.items()
        for operation in methods.values()
        if "{export_task_id}" in path
    }


def problems_of(call: Call, status: int) -> list[Problem]:
    """What of the table a call may answer with this status."""
    found = {*call.refusals, problems.UNAVAILABLE}
    if call.login or not call.open:
        found |= {problems.NOT_AUTHENTIC}
    if not call.open:
        found |= {problems.TOKEN_EXPIRED}
    if call.permission:
        found |= {problems.NO_PROJECT, problems.NOT_PERMITTED}
    if call.body or call.query:
        found |= {problems.INVALID}
    if call.body:
        found |= {problems.UNREADABLE, problems.TOO_LARGE}
    return [each for each in PROBLEMS if each in found and each.status == status]


def _operation(call: Call, schemas: dict[str, Any]) -> dict[str, Any]:
    example = EXAMPLES[call.name]
    responses = {str(status): _response(call, status, example) for status in call.statuses}
    operation: dict[str, Any] = {
        "operationId": call.name,
        "tags": [call.tag],
        "summary": call.summary,
        "description": example.text,
        "security": [] if call.open else WAYS_IN,
        "responses": responses | {"500": {"$ref": "#/components/responses/InternalError"}},
    }
    if call.permission:
        operation["x-permission"] = call.permission
    if call.sdk:
        operation["x-official-sdk"] = {"python": f"IoTDAClient.{call.sdk}"}
    if parameters := [*_path_and_headers(call), *_query(call, schemas, example)]:
        operation["parameters"] = parameters
    if call.body:
        operation["requestBody"] = {"required": True, "content": _json(call.body, example.body)}
    return operation


def _head(operation: dict[str, Any]) -> dict[str, Any]:
    """The same without a word in the answers."""
    whole = operation["responses"]
    bare = {
        status: {key: value for key, value in each.items() if key != "content"}
        for status, each in whole.items()
        if status not in ("206", "416", "500")
    }
    return operation | {
        "operationId": f"{operation['operationId']}Head",
        "summary": f"{operation['summary']}: the headers alone",
        "responses": bare | {"500": {"description": "internal error"}},
    }


def _path_and_headers(call: Call) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", call.path):
        yield {"name": name, "in": "path", "required": True, **ASKED[name]}
    for name in call.headers:
        yield {"name": name, "in": "header", "required": False, **ASKED[name]}


def _query(call: Call, schemas: dict[str, Any], example: Example) -> Iterator[dict[str, Any]]:
    if call.query is None:
        return
    shape = schemas[call.query.__name__]
    for name, schema in shape["properties"].items():
        given = _not_null(schema)
        description = given.pop("description", None)
        content = given.pop("contentSchema", None)
        told = {"schema": given, "example": {**example.query, **example.also}[name]}
        yield {
            "name": name,
            "in": "query",
            "required": name in shape.get("required", ()),
            **({"description": description} if description else {}),
            **({"content": {JSON: told | {"schema": content}}} if content else told),
        }


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Nobody sends null in a query: a parameter that is not given is left out."""
    (given,) = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    default = schema.get("default")
    return {**given, **({} if default is None else {"default": default})}


def _response(call: Call, status: int, example: Example) -> dict[str, Any]:
    if status >= HTTPStatus.BAD_REQUEST:
        return _refusal(status, problems_of(call, status))
    told = {
        "description": HTTPStatus(status).phrase,
        "headers": _headers(*call.told.get(status, ())),
    }
    if status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return told
    if call.media_type != JSON:
        return told | {"content": {call.media_type: {}}}
    return told | {"content": _json(call.answer, example.answers[status])}


def _refusal(status: int, found: list[Problem]) -> dict[str, Any]:
    examples = {anchor(each): {"$ref": f"#/components/examples/{anchor(each)}"} for each in found}
    extra = {416: ("Content-Range",), 503: ("Retry-After",)}.get(status, ())
    headers = _headers(*extra)
    if problems.TOO_SOON in found or problems.NOT_AUTHENTIC in found:
        headers["Retry-After"] = {**_header("Retry-After"), "required": False}
    return {
        "description": "; ".join(f"{each.code}: {each.when}" for each in found),
        "headers": headers,
        "content": {JSON: {"schema": {"$ref": ERROR}, "examples": examples}},
    }


def _example(problem: Problem) -> dict[str, Any]:
    told = {"error_code": problem.code, "error_msg": ADVICE[problem].message}
    return {"summary": problem.when, "description": ADVICE[problem].do, "value": told}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def _header(name: str) -> dict[str, Any]:
    return {"required": True, **TOLD[name]}


def _json(shape: type | None, example: Any) -> dict[str, Any]:
    schema = {"$ref": REFERENCE.format(name=shape.__name__)} if shape else {"type": "object"}
    return {JSON: {"schema": schema} | ({"example": example} if example else {})}


def _schemas(schemas: dict[str, Any]) -> dict[str, Any]:
    """The messages', with what only tables beside them know: codes, and the facts of each event."""
    codes = sorted({each.code for each in PROBLEMS if each.status})
    of_tasks = sorted(
        {each.code for each in PROBLEMS if not each.status} | {problems.INTERNAL.code}
    )
    schemas[Error.__name__]["properties"]["error_code"]["enum"] = codes
    task = schemas[ExportTask.__name__]["properties"]
    task["error_code"]["anyOf"][0]["enum"] = of_tasks
    told = schemas.pop(TaskEvent.__name__)
    happened = {
        topic: _event(topic, told) for topic in events.topics() if topic.startswith("task.")
    }
    names = {topic: topic.title().replace(".", "") for topic in happened}
    references = {topic: REFERENCE.format(name=name) for topic, name in names.items()}
    one_of = {
        "description": told["description"],
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "type", "mapping": references},
    }
    return {
        **schemas,
        TaskEvent.__name__: one_of,
        **{names[topic]: schema for topic, schema in happened.items()},
    }


def _event(topic: str, told: dict[str, Any]) -> dict[str, Any]:
    event = events.topics()[topic]
    fields = events.fields(event)
    return {
        "description": events.meaning(event),
        "type": "object",
        "properties": {
            **told["properties"],
            "type": {"const": topic, "description": "which kind of event this is"},
            **{field.name: field.schema for field in fields},
        },
        "required": [*told["required"], *(each.name for each in fields if not each.optional)],
    }
