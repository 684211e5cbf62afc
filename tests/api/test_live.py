"""The API under its real server: the official SDK's client, and clients that misbehave."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkiotda import v5

from api import downloads, requests
from api.requests import BODY_MOST
from exporter.results import CHUNK_BYTES
from tests.facts import BATCH, OPERATOR
from tests.service import eventually
from tests.web_service import NOWHERE, TASKS, served

SDK: Any = v5  # the SDK is not typed
REGION = "cn-north-4"
CONTENT = os.urandom(2 * CHUNK_BYTES + 5)


@pytest.fixture
def endpoint(service):
    service.story.clock.now = datetime.now(UTC)
    with served(service.settings) as endpoint:
        yield endpoint


@pytest.fixture
def keys(service):
    return service.household.add("Ann")


def builder(keys, project_id="p1"):
    credentials = BasicCredentials(keys.access_key, keys.secret_key, project_id)
    return SDK.IoTDAClient.new_builder(), credentials


def plain(keys, endpoint):
    made, credentials = builder(keys)
    return made.with_credentials(credentials).with_endpoint(endpoint).build()


def derived(keys, endpoint):
    made, credentials = builder(keys)
    credentials.with_derived_predicate(BasicCredentials.get_default_derived_predicate())
    return made.with_credentials(credentials).with_region(Region(REGION, endpoint)).build()


def region_alone(keys, endpoint):
    made, credentials = builder(keys, project_id=None)
    credentials.with_iam_endpoint(endpoint)
    return made.with_credentials(credentials).with_region(Region(REGION, endpoint)).build()


def create_request(**changes):
    fields = {"resource_type": "BatchTask", "resource_condition": {"task_id": BATCH}, **changes}
    return SDK.CreateExportTaskRequest(body=SDK.AddExportTask(**fields))


@pytest.mark.parametrize("made", [plain, derived])
def test_the_official_client_creates_lists_downloads_and_deletes(service, endpoint, keys, made):
    client = made(keys, endpoint)
    created = client.create_export_task(create_request(app_type="GLOBAL"))
    assert created.status_code == 201
    assert (created.status, created.progress, created.export_count) == ("Processing", 1, 0)
    task_id = created.export_task_id
    service.finish(task_id, CONTENT, rows=3)
    listed = client.list_export_tasks(
        SDK.ListExportTasksRequest(
            limit=1, resource_condition=json.dumps({"task_id": BATCH}), app_type="GLOBAL"
        )
    )
    (task,) = listed.export_tasks
    assert (task.export_task_id, task.status, task.progress) == (task_id, "Success", 100)
    assert (listed.page.count, listed.page.marker) == (1, task_id)
    answer = client.show_export_task(SDK.ShowExportTaskRequest(export_task_id=task_id))
    assert answer.raw_content == CONTENT
    assert sha256(answer.body.encode("latin-1")).digest() == sha256(CONTENT).digest()
    deleted = client.delete_export_task(SDK.DeleteExportTaskRequest(export_task_id=task_id))
    assert deleted.status_code == 204
    assert client.list_export_tasks(SDK.ListExportTasksRequest()).export_tasks == []


def test_the_official_asynchronous_client_has_many_calls_under_way(service, endpoint, keys):
    credentials = BasicCredentials(keys.access_key, keys.secret_key, "p1")
    made = SDK.IoTDAAsyncClient.new_builder().with_credentials(credentials)
    client = made.with_endpoint(endpoint).build()
    asked = [client.create_export_task_async(create_request()) for _ in range(7)]
    created, refused = [], []
    for each in asked:
        try:
            created.append(each.result().export_task_id)
        except ClientRequestException as refusal:
            refused.append(refusal.error_code)
    assert refused == 2 * ["IOTDA.014701"]
    task_id = min(created)
    service.finish(task_id, CONTENT)
    request = SDK.ShowExportTaskRequest(export_task_id=task_id)
    assert client.show_export_task_async(request).result().raw_content == CONTENT
    deleting = SDK.DeleteExportTaskRequest(export_task_id=task_id)
    assert client.delete_export_task_async(deleting).result().status_code == 204
    listed = client.list_export_tasks_async(SDK.ListExportTasksRequest()).result()
    assert listed.page.count == 4


def test_a_temporary_key_is_used_with_its_token(service, endpoint, keys):
    made = service.household.people.add_key("Ann", timedelta(hours=1), OPERATOR)
    credentials = BasicCredentials(made.access_key, made.secret_key, "p1")
    builder = SDK.IoTDAClient.new_builder().with_endpoint(endpoint)
    listing = SDK.ListExportTasksRequest()
    with pytest.raises(ClientRequestException, match="X-Security-Token is missing"):
        builder.with_credentials(credentials).build().list_export_tasks(listing)
    credentials.with_security_token(made.security_token)
    client = builder.with_credentials(credentials).build()
    assert client.list_export_tasks(listing).status_code == 200


def test_a_client_with_a_region_alone_finds_the_project_of_that_name(service, endpoint, keys):
    service.household.register.add_project("p3", REGION, "0", None, OPERATOR)
    service.household.people.grant("Ann", "p3", True, None, OPERATOR)
    created = region_alone(keys, endpoint).create_export_task(create_request())
    assert service.story.ledger.task(created.export_task_id).owner.project_id == "p3"


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda c: c.create_export_task(create_request(app_id="none")), 403, "IOTDA.001000"),
        (lambda c: c.list_export_tasks(SDK.ListExportTasksRequest(limit=0)), 400, "IOTDA.000017"),
        (
            lambda c: c.show_export_task(SDK.ShowExportTaskRequest(export_task_id=NOWHERE)),
            404,
            "IOTDA.014702",
        ),
        (
            lambda c: c.delete_export_task(SDK.DeleteExportTaskRequest(export_task_id="../x")),
            404,
            "IOTDA.014702",
        ),
    ],
)
def test_the_official_client_gets_code_message_and_request_id(endpoint, keys, ask, status, code):
    with pytest.raises(ClientRequestException) as raised:
        ask(plain(keys, endpoint))
    assert (raised.value.status_code, raised.value.error_code) == (status, code)
    assert raised.value.error_msg
    assert re.fullmatch("[0-9a-f]{32}", raised.value.request_id)


def test_a_wrong_key_is_told_to_the_official_client(service, endpoint, keys):
    other = service.household.people.add_key("Ann", None, OPERATOR)
    wrong = BasicCredentials(keys.access_key, other.secret_key, "p1")
    client = SDK.IoTDAClient.new_builder().with_credentials(wrong).with_endpoint(endpoint).build()
    with pytest.raises(ClientRequestException) as raised:
        client.list_export_tasks(SDK.ListExportTasksRequest())
    assert (raised.value.status_code, raised.value.error_code) == (401, "APIGW.0301")


# Clients that misbehave


def connected(endpoint):
    address = urlsplit(endpoint)
    return closing(socket.create_connection((address.hostname, address.port), timeout=20))


def everything(connection):
    answer = b""
    while received := connection.recv(65_536):
        answer += received
    return answer


def test_a_chunked_body_that_never_ends_is_answered_at_the_limit_and_cut_off(endpoint):
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    sent = 0
    with connected(endpoint) as connection:
        head = f"POST {TASKS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        try:
            while sent < 1000 * BODY_MOST:
                connection.sendall(chunk)
                sent += 1024
        except OSError:
            pass
        assert sent < 1000 * BODY_MOST


def test_a_body_larger_than_allowed_is_refused_by_its_length_alone(endpoint):
    with connected(endpoint) as connection:
        head = f"POST {TASKS} HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_MOST + 1}\r\n\r\n"
        connection.sendall(head.encode())
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"APIGW.0201"' in answer


def test_a_body_that_is_too_slow_is_refused(endpoint, monkeypatch):
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.2)
    with connected(endpoint) as connection:
        head = f"POST {TASKS} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"
        connection.sendall(head.encode())
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"IOTDA.000008"' in answer
    assert b"connection: close" in answer


def was_cut(record: logging.LogRecord) -> bool:
    return record.getMessage() == "request" and record.keys.get("cut", False)


def test_a_client_that_goes_away_while_it_sends_is_no_error(endpoint, caplog):
    with caplog.at_level(logging.INFO, "api"):
        with connected(endpoint) as connection:
            head = f"POST {TASKS} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"
            connection.sendall(head.encode())
        eventually(lambda: "the client went away" in caplog.text)
        eventually(lambda: any(was_cut(each) for each in caplog.records))
    assert not [each for each in caplog.records if each.levelno > logging.INFO]


def download_head(service, task_id, endpoint):
    user = service.household.queries.user(service.story.ledger.task(task_id).owner.user_id)
    tokens, now = service.household.tokens, datetime.now(UTC)
    token = tokens.issue(user.user_id, "p1", user.password_version, now).text
    return (
        f"GET {TASKS}/{task_id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\n\r\n"
    ).encode()


def finished(service, keys, endpoint, content):
    task_id = plain(keys, endpoint).create_export_task(create_request()).export_task_id
    service.finish(task_id, content)
    return task_id


def open_results(service):
    held = [os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")]  # noqa: PTH208
    return [name for name in held if name.startswith(str(service.results.folder))]


LARGE = 32 * 1024 * 1024


def test_a_client_that_goes_away_or_stalls_holds_no_file(service, endpoint, keys, monkeypatch):
    task_id = finished(service, keys, endpoint, bytes(LARGE))
    head = download_head(service, task_id, endpoint)
    with connected(endpoint) as connection:
        connection.sendall(head)
        assert connection.recv(10)
        eventually(lambda: open_results(service))
    eventually(lambda: not open_results(service))  # it went away
    service.story.limits(interval=0)
    monkeypatch.setattr(downloads, "STALLED_SECONDS", 0.3)
    with connected(endpoint) as connection:
        connection.sendall(head)
        assert connection.recv(12) == b"HTTP/1.1 200"  # so it is open, perhaps not any more
        eventually(lambda: not open_results(service))  # it stalls
        assert len(everything(connection)) < LARGE


def test_a_file_that_is_cut_while_it_is_sent_is_never_a_whole_answer(service, endpoint, keys):
    task_id = plain(keys, endpoint).create_export_task(create_request()).export_task_id
    key = service.finish(task_id, bytes(LARGE))
    with connected(endpoint) as connection:
        connection.sendall(download_head(service, task_id, endpoint))
        answer = connection.recv(10)
        eventually(lambda: open_results(service))
        os.truncate(service.results.folder / key.replace("/", "-"), LARGE // 2)
        answer += everything(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"content-length: {LARGE}".encode() in head
    assert len(body) <= LARGE // 2 + CHUNK_BYTES


def test_several_processes_worth_of_apps_grant_one_download_in_an_interval(service, endpoint, keys):
    task_id = finished(service, keys, endpoint, CONTENT)
    request = SDK.ShowExportTaskRequest(export_task_id=task_id)
    with served(service.settings) as other:
        assert plain(keys, other).show_export_task(request).raw_content == CONTENT
    with pytest.raises(ClientRequestException) as raised:
        plain(keys, endpoint).show_export_task(request)
    assert raised.value.error_code == "IOTDA.014704"
