"""View: the API's document as a reader meets it: call by call, each rule in words."""

from __future__ import annotations

import json
from http import HTTPStatus
from shlex import quote
from typing import Any, NamedTuple
from urllib.parse import urlencode

from api.problems import PROBLEMS, Problem
from api.reference.advice import ADVICE, anchor

JSON = "application/json"
Schema = dict[str, Any]


class Field(NamedTuple):
    """A parameter, a header or a field: its rules in words, and what it means."""

    name: str
    place: str
    rules: str
    meaning: str
    required: bool = False


class Refusal(NamedTuple):
    """A way to be refused: by what, when, and what to do about it."""

    status: str
    code: str
    anchor: str
    when: str
    do: str
    message: str


class Answer(NamedTuple):
    """What comes when all is well."""

    status: str
    phrase: str
    media_type: str
    shape: str
    headers: list[str]
    example: str


class Told(NamedTuple):
    """A call."""

    name: str
    method: str
    path: str
    summary: str
    text: str
    needs: str
    open: bool
    sdk: str
    curl: str
    parameters: list[Field]
    body: str
    answers: list[Answer]
    refusals: list[Refusal]


def groups(document: Schema) -> list[tuple[str, str, list[Told]]]:
    """The calls by what they are about: its name, a sentence on it, and the calls."""
    found = [
        _call(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "head"
    ]
    tag_of = {
        operation["operationId"]: operation["tags"][0]
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    of_tag = {
        tag["name"]: [each for each in found if tag_of[each.name] == tag["name"]]
        for tag in document["tags"]
    }
    return [(tag["name"], tag["description"], of_tag[tag["name"]]) for tag in document["tags"]]


def shapes(document: Schema) -> list[tuple[str, str, list[Field]]]:
    """The objects of bodies and answers: name, a sentence, and the fields."""
    schemas = document["components"]["schemas"]
    return [
        (name, schema["description"], _fields(schema, schemas))
        for name, schema in sorted(schemas.items())
    ]


def refusals() -> list[Refusal]:
    """The whole table of errors; the last ones stand on failed tasks alone."""
    return [_refusal(each) for each in sorted(PROBLEMS, key=lambda each: each.status or 999)]


def rules(schema: Schema) -> str:
    """A schema in words: `integer, 1 to 50, default 10`."""
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    words = [" or ".join(_kind(each) for each in kinds if _kind(each))]
    words += [limit for each in kinds for limit in _limits(each)]
    if len(kinds) < len(schema.get("anyOf", ())):
        words.append("or null")
    if schema.get("default") not in (None, ""):
        words.append(f"default `{_plain(schema['default'])}`")
    return ", ".join(filter(None, words))


def _kind(schema: Schema) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "const" in schema or "enum" in schema:
        return " or ".join(map(_plain, schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        return f"list of {rules(schema['items'])}"
    kinds = schema.get("type", "")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _limits(schema: Schema) -> list[str]:
    found = []
    if "minimum" in schema:
        found.append(f"{schema['minimum']} to {schema['maximum']}")
    if "minLength" in schema:
        found.append(f"{schema['minLength']} to {schema['maxLength']} characters")
    if "pattern" in schema:
        found.append(f"`{schema['pattern'].strip('^$')}`")
    return found


def _fields(schema: Schema, schemas: Schema) -> list[Field]:
    required = schema.get("required", ())
    return [
        Field(name, "", rules(each), _meaning(each, schemas), name in required)
        for name, each in schema.get("properties", {}).items()
    ]


def _meaning(schema: Schema, schemas: Schema) -> str:
    """What a field means: as it says, or else what the object in it does."""
    kinds = [schema, *schema.get("anyOf", ()), schema.get("items", {})]
    objects = [schemas[each["$ref"].rpartition("/")[2]] for each in kinds if "$ref" in each]
    found = [each["description"] for each in (*kinds, *objects) if "description" in each]
    return str(found[0]) if found else ""


def _call(method: str, path: str, operation: Schema) -> Told:
    content = operation.get("requestBody", {}).get("content", {}).get(JSON)
    return Told(
        name=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        text=operation["description"],
        needs=_needs(operation),
        open=not operation["security"],
        sdk=operation.get("x-official-sdk", {}).get("python", ""),
        curl=_curl(method, path, operation),
        parameters=[_parameter(each) for each in operation.get("parameters", ())],
        body=_kind(content["schema"]).strip("`") if content else "",
        answers=[
            _answer(status, each)
            for status, each in operation["responses"].items()
            if int(status) < HTTPStatus.BAD_REQUEST
        ],
        refusals=_refusals_of(operation),
    )


def _needs(operation: Schema) -> str:
    """What who asks must have."""
    if not operation["security"]:
        return "nothing"
    return operation.get("x-permission") or "a token or a signature"


def _parameter(each: Schema) -> Field:
    schema = each["schema"] if "schema" in each else each["content"][JSON]["schema"]
    as_json = "" if "schema" in each else ", as JSON"
    words = rules(schema) + as_json
    return Field(each["name"], each["in"], words, each["description"], each["required"])


def _answer(status: str, each: Schema) -> Answer:
    contents: Schema = each.get("content", {"": {}})
    media_type, content = next(iter(contents.items()))
    example = _shown(content["example"]) if "example" in content else ""
    shape = _kind(content["schema"]).strip("`") if "$ref" in content.get("schema", {}) else ""
    return Answer(status, each["description"], media_type, shape, list(each["headers"]), example)


def _refusals_of(operation: Schema) -> list[Refusal]:
    names = [
        name
        for status, each in operation["responses"].items()
        if int(status) >= HTTPStatus.BAD_REQUEST
        for content in each.get("content", {}).values()
        for name in content["examples"]
    ]
    return [_refusal(each) for each in PROBLEMS if anchor(each) in names]


def _refusal(problem: Problem) -> Refusal:
    advice = ADVICE[problem]
    status = str(problem.status or "on a failed task")
    return Refusal(status, problem.code, anchor(problem), problem.when, advice.do, advice.message)


def _curl(method: str, path: str, operation: Schema) -> str:
    """The call by hand; `$ENDPOINT` is where the service is, `$TOKEN` a token."""
    query = {}
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", each["example"])
        if each["in"] == "query" and each["required"]:
            query[each["name"]] = each["example"]
    address = f"{path}?{urlencode(query)}" if query else path
    words = [f'curl "$ENDPOINT{address}"']
    if method == "DELETE":
        words.append("-X DELETE")
    if operation["security"]:
        words.append('-H "X-Auth-Token: $TOKEN"')
    if "requestBody" in operation:
        example = operation["requestBody"]["content"][JSON]["example"]
        words += [f"-H {quote(f'Content-Type: {JSON}')}", f"-d {quote(_shown(example))}"]
    (first, *_) = operation["responses"].values()
    if "X-Subject-Token" in first["headers"]:
        words.append("-i")
    if "Content-Disposition" in first["headers"]:
        words.append("-o results.xls")
    return " \\\n  ".join(words)


def _shown(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)
