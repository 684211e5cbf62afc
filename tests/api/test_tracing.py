"""Traces: one leads from a request through its event to the exporter, and another to a download."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind

from domain.task import task_stream
from tests.facts import BATCH
from tests.load import Kept, token_of
from tests.service import Home
from tests.traced import HEADER, REMOTE_SPAN, REMOTE_TRACE, Spans, id_of, parent_of, trace_of
from tests.web_service import TASKS, Service

ROUTE = "/v5/iot/{project_id}/export-tasks"
PASSWORD = "correct horse battery"


@pytest.fixture
def spans(monkeypatch) -> Spans:
    return Spans(monkeypatch)


@pytest.fixture
def traced(spans, tmp_path):
    service = Service(tmp_path)
    yield service
    service.close()


def stored(service, task: str) -> dict:
    """The task's first event as it is stored."""
    (first,) = service.house.ledger.journal.recorder.select_events(task_stream(task), lte=1)
    return json.loads(bytes(first.state))


def create(client) -> str:
    """A task that is asked for within a trace of the client's."""
    body = {"resource_type": "BatchTask", "resource_condition": {"task_id": BATCH}}
    answer = client.ask("POST", TASKS, body=body, traceparent=HEADER)
    assert answer.status_code == 201
    return answer.json()["export_task_id"]


def test_a_request_goes_on_with_its_clients_trace_and_its_event_carries_it_on(traced, spans):
    task = create(traced.client())
    request, append = spans.one(f"POST {ROUTE}"), spans.one("append")
    assert (trace_of(request), parent_of(request)) == (REMOTE_TRACE, REMOTE_SPAN)
    assert request.kind == SpanKind.SERVER
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["http.route"] == ROUTE
    assert parent_of(append) == id_of(request)
    assert stored(traced, task)["traceparent"] == f"00-{REMOTE_TRACE}-{id_of(request)}-01"


def test_a_download_is_a_span_of_its_request(traced, spans):
    ann = traced.client()
    task = ann.finished()
    assert ann.download(task).status_code == 200
    assert parent_of(spans.one("download")) == id_of(
        spans.one(f"GET {ROUTE}/{{export_task_id}}/file")
    )


def test_a_request_for_nothing_and_a_header_that_is_none_are_spans_of_their_own(traced, spans):
    traced.http.get("/planted/path", headers={"traceparent": "nonsense"})
    span = spans.one("GET another path")
    assert parent_of(span) is None
    assert "planted" not in span.to_json()


def test_of_a_fault_no_more_is_told_than_that_there_was_one(traced, spans):
    def broken(*_, **__):
        raise RuntimeError("a secret of the house")

    ann = traced.client()
    task = ann.finished()
    traced.house.queries.tasks = broken
    assert ann.get().status_code == 500
    assert ann.download(task).status_code == 200
    told = "".join(each.to_json() for name in spans.names() for each in spans.named(name))
    assert "secret" not in told
    assert spans.one(f"GET {ROUTE}").attributes["http.response.status_code"] == 500


def test_an_owner_is_not_told_of_traces(traced):
    ann = traced.client()
    task = create(ann)
    assert "traceparent" not in ann.get(f"{TASKS}/{task}/events").text


def test_without_a_provider_nothing_is_stored_and_nothing_is_different(tmp_path):
    service = Service(tmp_path)
    task = create(service.client())
    assert "traceparent" not in stored(service, task)
    service.close()


PLAIN = """
import sys
from pathlib import Path
from scripts.group import command_line
from tests.web_service import Service
service = Service(Path(sys.argv[1]))
ann = service.client()
assert ann.download(ann.finished()).content == b"workbook"
assert ann.get(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").is_success
service.close()
assert not [each for each in sys.modules if each.startswith("opentelemetry.trace")]
"""
ABSENT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda *asked: None if asked[0] == "opentelemetry" else real(*asked)
sys.meta_path.insert(0, Absent())
"""


@pytest.mark.parametrize(
    ("before", "environment"),
    [("", {}), (ABSENT, {}), (ABSENT, {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"})],
    ids=["not asked for", "not installed", "asked for and not installed"],
)
def test_without_the_library_or_a_provider_it_is_never_imported(tmp_path, before, environment):
    subprocess.run(
        [sys.executable, "-c", before + PLAIN, str(tmp_path)],
        env={**os.environ, **environment, "PYTHONPATH": str(Path.cwd())},
        check=True,
    )


def test_a_provider_that_the_environment_names_is_found_by_every_process(tmp_path):
    home = Home(tmp_path)
    home.run("user", "password", "admin", "--password-stdin", given=PASSWORD)
    batch = home.batch(10)
    home.environment["OTEL_PYTHON_TRACER_PROVIDER"] = "sdk_tracer_provider"
    service = home.serve()
    del home.environment["OTEL_PYTHON_TRACER_PROVIDER"]  # this process is to keep out of it
    kept = Kept(service.endpoint, token_of(service.endpoint, "admin", PASSWORD, home.project))
    body = {"resource_type": "BatchTask", "resource_condition": {"task_id": batch}}
    tasks = f"/v5/iot/{home.project}/export-tasks"
    status, _, answer = kept.ask("POST", tasks, body, traceparent=HEADER)
    assert status == 201
    task = json.loads(answer)["export_task_id"]
    kept.close()
    assert service.stop() == 0
    events = map(json.loads, home.run("event", "list", "--task", task, "--json").splitlines())
    assert next(events)["traceparent"].split("-")[1] == REMOTE_TRACE
