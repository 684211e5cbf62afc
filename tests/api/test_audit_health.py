"""What `/readyz?verbose` and `/metrics` tell of checkpoints."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from api.audit.state import AuditState, SinkState, StateFile, Trouble
from domain.journal import utc_now
from tests.facts import NOON
from tests.web_service import Service

SINK = "file:///mnt/private"
ALL_OK = {
    "stores": "ok",
    "events": "ok",
    "results": "ok",
    "streams": "ok",
    "log": "ok",
    "audit_place": "ok",
    "audit_sinks": "ok",
    "checkpoint": "ok",
}
TROUBLE = Trouble("it is away: /mnt/private", NOON)


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path, audit_sinks=SINK)
    yield service
    service.close()


@pytest.fixture
def wrote(service):
    """The keeper wrote down how it stands."""

    def write(**state: object) -> None:
        file = StateFile(service.settings.audit_state_file)
        for name, value in {"note": "note", "at": NOON, **state}.items():
            setattr(file.state, name, value)
        file.save()

    return write


def checks(service) -> dict[str, str]:
    answer = service.http.get("/readyz?verbose")
    assert answer.status_code == 200
    assert "private" not in answer.text
    return answer.json()["checks"]


def metrics(service) -> dict[str, float]:
    text = service.http.get("/metrics").text
    assert "private" not in text
    lines = [line for line in text.splitlines() if not line.startswith("#") and "{" not in line]
    return {name: float(value) for name, value in map(str.split, lines)}


def test_before_the_first_checkpoint_all_is_well(service):
    assert checks(service) == ALL_OK
    told = metrics(service)
    assert told["export_tasks_checkpoint_size"] == 0
    assert "export_tasks_checkpoint_age_seconds" not in told
    with service.house.queries.follower.caught_up():
        pass
    assert metrics(service)["export_tasks_unsealed_events"] == service.story.head() > 0


def test_without_verbose_only_what_it_always_told_is_told(service):
    assert set(service.http.get("/readyz").json()) == {"status", "position", "quarantined"}
    assert "checks" in service.http.get("/readyz?verbose=1").json()


def test_size_and_age_are_those_of_the_last_checkpoint(service, wrote):
    with service.house.queries.follower.caught_up():
        pass
    head = service.story.head()
    wrote(size=head - 1, position=head - 1, at=utc_now() - timedelta(seconds=90))
    told = metrics(service)
    assert told["export_tasks_checkpoint_size"] == head - 1
    assert 90 <= told["export_tasks_checkpoint_age_seconds"] < 120
    assert told["export_tasks_unsealed_events"] == 1


def test_a_large_size_is_written_whole(service, wrote):
    wrote(size=123_456_789)
    assert metrics(service)["export_tasks_checkpoint_size"] == 123_456_789


def test_an_altered_log_degrades_the_service(service, wrote):
    wrote(altered=TROUBLE)
    assert checks(service) == {**ALL_OK, "log": "log_altered"}
    assert service.http.get("/readyz").json()["status"] == "degraded"
    assert metrics(service)["export_tasks_log_altered"] == 1


def test_a_place_that_fails_is_told(service, wrote):
    wrote(failing=TROUBLE, position=service.story.head())
    assert checks(service) == {**ALL_OK, "audit_place": "audit_place_failing"}
    assert service.http.get("/readyz").json()["status"] == "ready"
    assert metrics(service)["export_tasks_audit_place_failing"] == 1


def test_a_sink_that_fails_is_told_and_where_it_is_is_not(service, wrote):
    wrote(sinks={SINK: SinkState(None, TROUBLE)}, position=service.story.head())
    assert checks(service) == {**ALL_OK, "audit_sinks": "audit_sink_failing"}
    assert metrics(service)["export_tasks_audit_sinks_failing"] == 1


@pytest.fixture
def at(monkeypatch):
    """Moves the clock by which it is judged what is overdue."""

    def move(moment: datetime) -> None:
        monkeypatch.setattr("api.health.utc_now", lambda: moment)

    return move


def test_a_checkpoint_is_overdue_when_an_event_waited_for_ten_minutes(service, wrote, at):
    wrote(position=service.story.head())
    service.story.clock.pass_by(hours=1)
    at(service.story.clock.now + timedelta(hours=1))
    assert checks(service) == ALL_OK
    service.story.limits()
    at(service.story.clock.now + timedelta(minutes=9, seconds=59))
    assert checks(service) == ALL_OK
    at(service.story.clock.now + timedelta(minutes=10))
    assert checks(service) == {**ALL_OK, "checkpoint": "checkpoint_overdue"}


def test_what_is_altered_is_not_overdue_too(service, wrote, at):
    wrote(altered=TROUBLE)
    at(service.story.clock.now + timedelta(hours=1))
    assert checks(service)["checkpoint"] == "ok"


def test_the_parameter_is_documented(service):
    operation = service.http.get("/openapi.json").json()["paths"]["/readyz"]["get"]
    assert [each["name"] for each in operation["parameters"]] == ["verbose"]


def test_a_state_that_was_never_written_is_empty(service):
    assert StateFile(service.settings.audit_state_file).state == AuditState()
