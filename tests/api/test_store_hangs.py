"""A store that takes requests and answers none keeps nobody waiting who does not need it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.installation import PROBE_THREADS, REQUEST_THREADS
from tests.database import QUICK, running_database
from tests.web_service import TASKS, Service
from tests.workshop import until

MANY = REQUEST_THREADS["sqlite"]


@pytest.fixture
def service(tmp_path, bucket_url):
    """One whose files are in a bucket."""
    service = Service(tmp_path, results=bucket_url)
    yield service
    service.close()


def test_while_the_store_hangs_the_others_are_answered(service, object_store):
    ann = service.client("Ann")
    task = ann.finished()
    asked = f"{TASKS}/{task}/file"
    object_store.pause()
    try:
        with ThreadPoolExecutor(MANY) as waiting:
            files = [waiting.submit(ann.get, asked) for _ in range(MANY)]
            until(lambda: in_threads(service) == MANY, "they wait for the store")
            assert ann.get(f"{TASKS}/{task}/events").status_code == 200
            assert not any(each.done() for each in files)
            object_store.resume()
            assert {each.result().status_code for each in files} <= {200, 403}
    finally:
        object_store.resume()


def test_while_it_hangs_health_is_told_and_so_is_all_that_others_tell(service, object_store):
    service.client("Ann").create()
    object_store.pause()
    try:
        for _ in range(2 * PROBE_THREADS):
            answer = service.http.get("/readyz")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "The result store does not answer." in answer.json()["error_msg"]
        told = service.http.get("/metrics").text.splitlines()
    finally:
        object_store.resume()
    assert 'export_tasks_store_up{store="results"} 0.0' in told
    assert 'export_tasks_store_up{store="events"} 1.0' in told
    assert "export_tasks_queue_depth 1.0" in told
    until(lambda: service.http.get("/readyz").status_code == 200, "it is ready again")


def test_while_the_database_hangs_health_is_told(tmp_path):
    with running_database(**QUICK) as database:
        service = Service(tmp_path, events=database.fresh())
        service.client("Ann").create()
        assert service.http.get("/readyz").status_code == 200
        database.freeze()
        try:
            answer = service.http.get("/readyz?verbose")
            told = service.http.get("/metrics").text.splitlines()
        finally:
            database.thaw()
        assert answer.status_code == 503
        assert answer.json()["error_msg"] == "The event store or the read tables do not answer."
        assert answer.json()["checks"]["events"] == "no_answer_in_time"
        assert 'export_tasks_store_up{store="events"} 0.0' in told
        assert 'export_tasks_processes{role="api"} 1.0' in told
        assert not any(line.startswith("export_tasks_queue_depth") for line in told)
        until(lambda: service.http.get("/readyz").status_code == 200, "it is ready again")
        service.close()


def in_threads(service):
    """How many requests are under way off the event loop."""
    return service.house.requests.borrowed_tokens + service.house.downloads.borrowed_tokens
