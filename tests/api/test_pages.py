"""Health and numbers."""

from __future__ import annotations

import sqlite3
from contextlib import closing


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
