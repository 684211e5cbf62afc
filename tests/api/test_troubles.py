"""A store that fails: why is told in few words, and in the log once, not for each request."""

from __future__ import annotations

import logging
from typing import get_args

import pytest

from api.health import CHECKS, _why
from api.probes import Hangs
from api.troubles import Reason, reason
from domain.refusals import Unavailable
from exporter.results import ResultsFailed
from projections.follower import BehindLog
from tests.database import QUICK, running_database
from tests.web_service import Service


def because(text: str) -> Unavailable:
    """As the journal raises it."""
    error = Unavailable()
    error.__cause__ = OSError(text)
    return error


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (because('connection to "10.0.0.1", port 5432 failed: Connection refused'), 0),
        (because('FATAL:  password authentication failed for user "x"'), 1),
        (because("fe_sendauth: no password supplied"), 1),
        (ResultsFailed("the object store refuses access (AccessDenied)", passing=True), 1),
        (because("could not extend file: No space left on device"), 2),
        (because("database or disk is full"), 2),
        (ResultsFailed("there is no room left for the result", passing=True), 2),
        (because('FATAL:  database "x" does not exist'), 3),
        (because("unable to open database file"), 3),
        (because("server closed the connection unexpectedly"), 4),
        (BehindLog(), 5),
        (because("connection timeout expired"), 6),
        (ResultsFailed("the object store does not answer", passing=True), 6),
        (because("something else"), 7),
    ],
)
def test_a_reason_is_one_of_a_few(error, word):
    assert reason(error) == get_args(Reason)[word]


def verbose(service: Service) -> dict[str, str]:
    """What a service that is not ready says of each check."""
    answer = service.http.get("/readyz?verbose")
    assert answer.status_code == 503
    assert set(answer.json()) == {"error_code", "error_msg", "checks"}
    assert "127.0.0.1" not in answer.text
    assert set(answer.json()["checks"]) == set(CHECKS)
    return answer.json()["checks"]


def test_while_the_database_is_away_each_check_is_told_and_the_log_says_it_once(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "api.troubles")
    with running_database(**QUICK) as database:
        service = Service(tmp_path, events=database.fresh())
        ann = service.client("Ann")
        assert set(service.http.get("/readyz?verbose").json()["checks"]) == set(CHECKS)
        database.stop()
        for _ in range(3):
            assert ann.get("/v5/iot/p1/export-quota").status_code == 503
        for _ in range(3):
            found = verbose(service)
        assert (found["events"], found["results"]) == ("connection_refused", "ok")
        assert (found["stores"], found["streams"]) == ("store_unreachable", "unknown")
        assert "checks" not in service.http.get("/readyz").json()
        (told,) = caplog.messages
        assert told.startswith("cannot read the event store: ")
        assert "refused" in told
        service.close()


def test_results_that_fail_are_told_by_their_own_check(service):
    service.results.folder.write_text("no folder")
    found = verbose(service)
    assert (found["events"], found["results"]) == ("ok", "not_there")
    assert (found["stores"], found["checkpoint"]) == ("results_unreachable", "ok")


def test_a_store_that_has_not_answered_yet_fails_as_it_did_before(service):
    probe = service.house.health.log
    probe.failure = because("Connection refused")
    assert _why(Hangs(), probe) == "connection_refused"
    probe.failure = None
    assert _why(Hangs(), probe) == "no_answer_in_time"


def test_what_fails_and_is_well_again_is_told_once_each(service, ann, caplog):
    caplog.set_level(logging.WARNING, "api.troubles")
    log = service.household.log.path
    ann.post()
    log.rename(log.with_name("away"))
    for _ in range(3):
        assert ann.post().status_code == 503
    log.with_name("away").rename(log)
    for _ in range(3):
        assert ann.post().status_code == 201
    begun, over = caplog.messages
    assert begun.startswith("cannot write to the event store: ")
    assert over.startswith("can write to the event store again")


def test_what_is_no_store_s_fault_is_not_told(service, ann, caplog):
    caplog.set_level(logging.WARNING, "api.troubles")
    for _ in range(7):
        ann.post()
    ann.get("/v5/iot/other/export-tasks")
    assert not caplog.messages
