"""The official Python SDK and the API's document: the same calls, at the same places, answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkiotda import v5

from tests.plant import DOCUMENT, OPERATIONS, PROJECT, World
from tests.web_service import served

SDK: Any = v5  # the SDK is not typed
AT = {(method, path): operation for method, path, operation in OPERATIONS.values()}
METHODS = {
    "CreateExportTask": "create_export_task",
    "ListExportTasks": "list_export_tasks",
    "ShowExportTask": "show_export_task",
    "DeleteExportTask": "delete_export_task",
    "ListBatchTasks": "list_batch_tasks",
    "ShowBatchTask": "show_batch_task",
}


def http_info(operation_id: str) -> dict[str, Any]:
    """What the SDK would send for a call, every field of its request given."""
    request_type = getattr(SDK, f"{operation_id}Request")
    request = request_type(**dict.fromkeys(request_type.attribute_map, "given"))
    info = getattr(SDK.IoTDAClient, f"_{METHODS[operation_id]}_http_info")
    found: dict[str, Any] = info(request)
    return found


def test_the_calls_that_the_sdk_has_are_those_that_say_so():
    told = {
        name: operation["x-official-sdk"]["python"].removeprefix("IoTDAClient.")
        for name, (method, _, operation) in OPERATIONS.items()
        if "x-official-sdk" in operation and method != "HEAD"
    }
    assert told == METHODS
    assert all(hasattr(SDK.IoTDAClient, name) for name in METHODS.values())


@pytest.mark.parametrize("operation_id", METHODS)
def test_the_sdk_sends_a_call_where_the_document_says(operation_id):
    info = http_info(operation_id)
    operation = AT[info["method"], info["resource_path"]]
    assert operation["operationId"] == operation_id
    sent = {name for name, _ in info["query_params"]} | set(info["path_params"])
    told = {each["name"] for each in operation["parameters"] if each["in"] in ("path", "query")}
    assert sent <= told
    assert told - sent <= {"project_id", "status", "at"}
    assert ("requestBody" in operation) == (info["body"] is not None)


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        ("AddExportTask", "CreateBody"),
        ("ExportTask", "ExportTask"),
        ("CreateExportTaskResponse", "ExportTask"),
        ("ListExportTasksResponse", "TaskList"),
        ("ListBatchTasksResponse", "BatchTaskList"),
        ("ShowBatchTaskResponse", "BatchTaskShown"),
    ],
)
def test_the_sdk_knows_no_field_that_the_document_does_not_tell(model, schema):
    known = set(getattr(SDK, model).attribute_map.values())
    told = set(DOCUMENT["components"]["schemas"][schema]["properties"])
    assert known - {"X-Request-Id"} <= told


@pytest.mark.parametrize("operation_id", METHODS)
def test_a_call_of_the_sdk_with_the_documents_examples_is_answered(service, operation_id):
    world = World(service)
    world.stand()
    service.story.clock.now = datetime.now(UTC)
    keys = world.ada.made
    credentials = BasicCredentials(keys.access_key, keys.secret_key, PROJECT)
    asked = request(operation_id)
    with served(service.settings) as endpoint:
        builder = SDK.IoTDAClient.new_builder().with_credentials(credentials)
        client = builder.with_endpoint(endpoint).build()
        answer = getattr(client, METHODS[operation_id])(asked)
    assert str(answer.status_code) == next(iter(OPERATIONS[operation_id][2]["responses"]))
    for name in set(answer.attribute_map) - {"body"}:
        assert getattr(answer, name) is not None or name in ("end_time", "app_id")


def request(operation_id: str) -> Any:
    """A request of the SDK's, made of the examples of what must be given."""
    _, _, operation = OPERATIONS[operation_id]
    fields = {
        each["name"]: each["example"]
        for each in operation["parameters"]
        if each["required"] and each["name"] != "project_id"
    }
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["example"]
        fields["body"] = SDK.AddExportTask(**body)
    return getattr(SDK, f"{operation_id}Request")(**fields)
