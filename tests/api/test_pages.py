"""Health and numbers."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.facts import BATCH


def test_the_process_says_that_it_lives(service):
    answer = service.http.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_service_with_its_stores_is_ready(service, ann):
    ann.create()
    answer = service.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "position": service.story.head(),
        "quarantined": 0,
    }


def test_without_its_event_store_it_is_not_ready_but_lives(service, ann):
    log = service.household.log.path
    log.rename(log.with_name("away"))
    log.mkdir()
    service.house.ledger.journal.recorder.datastore.close()
    answer = service.http.get("/readyz")
    assert answer.status_code == 503
    assert "event store" in answer.json()["error_msg"]
    assert answer.headers["retry-after"]
    assert service.http.get("/metrics").status_code == 503
    assert service.http.get("/livez").status_code == 200


def test_with_another_log_than_it_has_read_it_is_not_ready(service, ann):
    ann.create()
    assert service.http.get("/readyz").status_code == 200
    with closing(sqlite3.connect(service.household.log.path)) as log, log:
        log.execute(
            "DELETE FROM stored_events WHERE rowid = (SELECT max(rowid) FROM stored_events)"
        )
    answer = service.http.get("/readyz")
    assert answer.status_code == 503
    assert "not the one that this node has read" in answer.json()["error_msg"]


def test_behind_a_log_that_it_cannot_read_in_time_it_is_not_ready(service, ann):
    follower = service.house.queries.follower
    ann.create()
    service.story.create()
    with follower._applying:  # as when another thread still works on a long page
        answer = service.http.get("/readyz")
    assert answer.status_code == 503
    assert "behind the event log" in answer.json()["error_msg"]


def test_without_its_results_it_is_not_ready(service):
    service.results.folder.write_text("no folder")
    answer = service.http.get("/readyz")
    assert answer.status_code == 503
    assert "result store" in answer.json()["error_msg"]


def test_numbers_are_those_of_the_log_and_of_no_user(service, ann):
    ann.finished(batch="1")
    ann.create()
    answer = service.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'export_tasks_tasks{status="Processing"} 1' in lines
    assert 'export_tasks_tasks{status="Success"} 1' in lines
    assert 'export_tasks_tasks{status="Failed"} 0' in lines
    assert "export_tasks_queue_depth 1" in lines
    assert f"export_tasks_log_position {service.story.head()}" in lines
    assert ann.user_id not in answer.text
    assert "p1" not in answer.text
    assert all(line.startswith(("# HELP", "# TYPE", "export_tasks_")) for line in lines)


def test_a_large_position_is_written_whole(service, ann):
    for _ in range(3):
        ann.finished(batch=BATCH)
    text = service.http.get("/metrics").text
    assert "e+" not in text
