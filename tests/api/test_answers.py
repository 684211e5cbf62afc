"""Every answer: its request id and headers; and what no path, no method and no body get."""

from __future__ import annotations

import asyncio
import json
import logging
import re

import pytest

from api.envelope import Envelope
from api.opening import Opening
from api.problems import PROBLEMS
from api.requests import BODY_MOST
from api.routes import CALLS
from tests.web_service import BODY, NOWHERE, TASKS, refused

PATHS = sorted({call.path for call in CALLS})


def path_of(template):
    return template.format(project_id="p1", export_task_id=NOWHERE, task_id=NOWHERE)


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/v5/iot/p1/export-tasks/"])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_every_answer_has_a_request_id_of_its_own_and_is_safe_in_a_browser(service, path, method):
    answers = [service.http.request(method, path_of(path)) for _ in range(2)]
    request_ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(request_ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in request_ids)
    headers = answers[0].headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert answers[0].status_code < 500


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/v5",
        "/v5/iot/p1/export-tasks/",
        "/v5/iot/p1/export-tasks/a/b",
        "/v5/iot/p1//export-tasks",
        "/v5/iot/a%2fb/c/export-tasks",
        "/docs/",
        "/..%2f..%2fetc/passwd",
        "/%ff",
        "/LIVEZ",
    ],
)
def test_another_path_is_no_api_and_never_a_redirect(service, path):
    refused(service.http.get(path, follow_redirects=False), 404, "APIGW.0101")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", TASKS, "GET, POST"),
        ("HEAD", TASKS, "GET, POST"),
        ("OPTIONS", TASKS, "GET, POST"),
        ("POST", f"{TASKS}/{NOWHERE}", "DELETE, GET"),
        ("DELETE", f"{TASKS}/{NOWHERE}/file", "GET, HEAD"),
        ("GET", "/v3/auth/tokens", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("BREW", "/metrics", "GET, HEAD"),
    ],
)
def test_another_method_is_told_which_there_are(service, method, path, allow):
    answer = service.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    if method != "HEAD":
        refused(answer, 405, "IOTDA.000003")


# Bodies


def padded(length):
    return json.dumps(BODY).encode().ljust(length)


def test_a_body_at_the_limit_is_taken(ann):
    assert ann.post(padded(BODY_MOST)).status_code == 201


def test_a_body_beyond_the_limit_is_not_read(service, ann):
    answer = ann.post(padded(BODY_MOST + 1))
    refused(answer, 413, "APIGW.0201", str(BODY_MOST))
    assert answer.headers["connection"] == "close"
    assert service.story.told().count("task.created") == 0


def test_a_body_that_nobody_reads_is_not_waited_for(service):
    answer = service.http.post("/nowhere", content=b"x" * 10)
    assert answer.headers["connection"] == "close"
    assert "connection" not in service.http.get("/nowhere").headers


@pytest.mark.parametrize("length", ["-1", "x", "", b"\xb2", "9" * 5000])
def test_a_length_that_is_none_is_no_500(service, length):
    answer = service.http.post(TASKS, content=b"{}", headers={"Content-Length": length})
    assert answer.status_code in (401, 413)


# What fails inside


def test_an_error_inside_is_told_without_a_word_from_inside(service, ann, caplog):
    def broken(*_, **__):
        raise RuntimeError("a secret of the house")

    service.house.queries.tasks = broken
    with caplog.at_level(logging.INFO):
        answer = ann.get()
    message = refused(answer, 500, "IOTDA.000001")
    assert "secret" not in message
    assert "a secret of the house" in caplog.text
    (failed,) = [each for each in caplog.records if each.getMessage() == "the request failed"]
    assert failed.keys == {"request_id": answer.headers["x-request-id"]}


def test_a_store_that_is_away_is_a_503_and_says_when_to_come_again(service, ann):
    request = ann.signed("GET", TASKS)
    log = service.household.log.path
    log.rename(log.with_name("away"))
    log.mkdir()
    service.house.ledger.journal.recorder.datastore.close()
    answer = service.http.get(TASKS, headers=request.header_params)
    refused(answer, 503, "IOTDA.000007")
    assert answer.headers["retry-after"] == "1"


def requests_told(caplog) -> list[dict]:
    """The keys of the lines of requests."""
    return [each.keys for each in caplog.records if each.getMessage() == "request"]


def test_each_request_is_one_line_in_the_log_without_its_path_or_query(service, ann, caplog):
    with caplog.at_level(logging.INFO, "api"):
        answer = ann.get(query={"app_id": "someones"})
    (line,) = requests_told(caplog)
    assert 0 < line.pop("duration_s") < 60
    assert line == {
        "method": "GET",
        "route": "/v5/iot/{project_id}/export-tasks",
        "status": 200,
        "bytes": len(answer.content),
        "request_id": answer.headers["x-request-id"],
        "by": ann.user_id,
    }


def test_a_request_of_nobody_and_one_for_nothing_are_told_as_such(service, caplog):
    with caplog.at_level(logging.INFO, "api"):
        service.http.get(TASKS)
        service.http.get("/nothing/of/the/kind")
    told = [(line["route"], line["status"], line["by"]) for line in requests_told(caplog)]
    assert told == [("/v5/iot/{project_id}/export-tasks", 401, None), (None, 404, None)]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_what_machines_ask_all_the_time_is_told_at_debug_alone(service, caplog, path):
    with caplog.at_level(logging.INFO, "api"):
        service.http.get(path)
    assert requests_told(caplog) == []
    with caplog.at_level(logging.DEBUG, "api"):
        service.http.get(path)
    assert [line["route"] for line in requests_told(caplog)] == [path]


def test_a_download_tells_of_which_task_and_by_which_request_that_was_made(service, ann, caplog):
    created = ann.post()
    task = created.json()["export_task_id"]
    service.finish(task, b"workbook")
    with caplog.at_level(logging.INFO, "api"):
        ann.download(task)
    (line,) = requests_told(caplog)
    assert (line["task"], line["bytes"]) == (task, len(b"workbook"))
    assert line["task_request_id"] == created.headers["x-request-id"]


def test_every_error_code_stands_in_the_table_once(service):
    assert len({(each.status, each.code) for each in PROBLEMS}) == len(PROBLEMS)


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_cut_off_when_the_server_stops_is_told_so_where_nothing_was_sent_yet(begun):
    sent = []

    async def send(message):
        sent.append(message)

    async def slow(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    async def stop():
        headers = [(b"host", b"here")]
        scope = {"type": "http", "raw_path": b"/", "headers": headers, "method": "GET", "path": "/"}
        request = asyncio.create_task(Envelope(slow, Opening(None, None))(scope, None, send))
        await asyncio.sleep(0)
        request.cancel()
        await request

    asyncio.run(stop())
    if begun:
        assert [message["type"] for message in sent] == ["http.response.start"]
        return
    start, body = sent
    headers = dict(start["headers"])
    assert start["status"] == 503
    assert headers[b"retry-after"] == b"1"
    assert b"x-request-id" in headers
    told = json.loads(body["body"])
    assert told == {
        "error_code": "IOTDA.000007",
        "error_msg": "The service is stopping; try again.",
    }
