"""The API's document: valid, whole, and the same as the route table and the official SDK."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from api.openapi import TAGS, problems_of
from api.pages import described
from api.problems import PROBLEMS
from api.reference.advice import anchor
from api.reference.examples import EXAMPLES
from api.routes import CALLS

DOCUMENT = described()
API = [call for call in CALLS if call.tag]
OPERATIONS = {
    (method.upper(), path): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def nodes(node: Any) -> Any:
    """A document's parts, from the whole inwards."""
    yield node
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from nodes(value)


def references(node: Any) -> list[str]:
    return [each["$ref"] for each in nodes(node) if isinstance(each, dict) and "$ref" in each]


def test_the_document_is_valid_and_what_the_service_sends(service):
    answer = service.http.get("/openapi.json")
    assert answer.json() == DOCUMENT
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT)


def test_every_reference_leads_somewhere_and_every_component_is_used():
    found = set(references(DOCUMENT))
    mapped = {
        each["propertyName"]: each["mapping"]
        for each in nodes(DOCUMENT)
        if isinstance(each, dict) and "mapping" in each
    }
    assert {name for mapping in mapped.values() for name in mapping.values()} <= found
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in DOCUMENT["components"].items()
        for name in named
        if kind != "securitySchemes"
    }
    everywhere = {f"#/components/examples/{code}" for code in ("APIGW.0101", "IOTDA.000003")}
    assert found <= components
    assert components - found <= everywhere | {"#/components/headers/Allow"}


def test_every_call_of_the_api_is_there_and_nothing_else():
    heads = {("HEAD", call.path) for call in API if call.has_head}
    assert set(OPERATIONS) == {(call.method, call.path) for call in API} | heads
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)
    assert set(EXAMPLES) == {call.name for call in API}


def test_what_is_no_part_of_the_api_is_a_page():
    assert [c.path for c in CALLS if not c.tag and c.path.startswith(("/v3", "/v5"))] == []
    assert {call.tag for call in API} == set(TAGS)


@pytest.mark.parametrize("call", API, ids=lambda call: call.name)
def test_a_call_is_told_as_its_row_says(call):
    operation = OPERATIONS[call.method, call.path]
    responses = {int(status) for status in operation["responses"]}
    assert responses == {*call.statuses, 500}
    assert operation["summary"] == call.summary
    assert operation.get("x-permission") == call.permission
    assert bool(operation["security"]) != call.open
    asked = {(each["in"], each["name"]) for each in operation.get("parameters", ())}
    fields = call.query.__struct_fields__ if call.query else ()
    assert asked == {
        *(("path", name) for name in re.findall(r"{(\w+)}", call.path)),
        *(("header", name) for name in call.headers),
        *(("query", name) for name in fields),
    }
    assert ("requestBody" in operation) == (call.body is not None)


@pytest.mark.parametrize("call", API, ids=lambda call: call.name)
def test_every_status_of_a_refusal_has_its_codes_and_each_code_its_status(call):
    for status in call.statuses:
        assert bool(problems_of(call, status)) == (status >= 400), status
    assert [each for each in call.refusals if each.status not in call.statuses] == []


def test_whatever_is_asked_or_told_says_what_it_means():
    silent = [
        f"{operation['operationId']} {each['name']}"
        for operation in OPERATIONS.values()
        for each in operation.get("parameters", ())
        if not each.get("description")
    ]
    silent += [
        name for name, each in DOCUMENT["components"]["schemas"].items() if not each["description"]
    ]
    assert silent == []


def test_every_example_of_a_refusal_has_a_name_of_its_own():
    names = [anchor(each) for each in PROBLEMS]
    assert len(set(names)) == len(names)
    told = DOCUMENT["components"]["examples"]
    assert set(told) == {anchor(each) for each in PROBLEMS if each.status}
