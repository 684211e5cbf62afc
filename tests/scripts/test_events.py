"""`event list`: a stretch of the log in three forms, as of a time, with addresses or without."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest

from api.parts import Parts
from domain.access.refused import Summary
from domain.commands import CreateTask, SetLimits
from domain.conditions import ExportConditions, OwnerId
from domain.fact import Caller
from domain.journal import Journal
from domain.ledger import Ledger
from scripts.options import POSITION_MOST
from tests.facts import NOON

OPERATOR = Caller("system", "0" * 32)


def told(command, *arguments: str) -> list[dict]:
    return [json.loads(line) for line in command("event", "list", *arguments).stdout.splitlines()]


@pytest.fixture
def at_times(command):
    """An empty log, and a function that adds an event at a minute past noon by somebody's clock."""

    def happen(*minutes: int) -> None:
        for minute in minutes:
            with Parts() as parts:
                recorder = parts.log.recorder
                journal = Journal(recorder, clock=lambda m=minute: NOON + timedelta(minutes=m))
                parts.ledger.journal = journal
                # Each in a stream of its own: within a stream time never goes back.
                owner = OwnerId("plant-1", f"{recorder.max_notification_id() or 0:032x}")
                conditions = ExportConditions("BatchTask", '{"task_id":"a"}', "xls", "GLOBAL", None)
                Ledger(journal).create(CreateTask(owner, conditions, None, None, OPERATOR))

    return happen


# As of a time


def test_a_time_goes_by_the_order_of_the_log_where_clocks_differ(command, at_times):
    at_times(0, 10, 5, 20)  # the third by a clock that is slow
    for minute, position in ((-1, 0), (0, 2), (5, 2), (9, 2), (10, 6), (19, 6), (20, 8), (60, 8)):
        time = (NOON + timedelta(minutes=minute)).isoformat()
        done = command("event", "list", "--at", time, "--json")
        assert [json.loads(line)["position"] for line in done.stdout.splitlines()] == [
            *range(1, position + 1)
        ]
        assert done.stderr == f"as of position {position}\n"


def test_a_time_and_positions_are_taken_together(command, at_times):
    at_times(0, 10, 20)
    at = ("--at", (NOON + timedelta(minutes=10)).isoformat(), "--json")
    assert [each["position"] for each in told(command, *at, "--from", "3")] == [3, 4]
    assert [each["position"] for each in told(command, *at, "--to", "3")] == [1, 2, 3]
    assert [each["position"] for each in told(command, *at, "--to", "6")] == [1, 2, 3, 4]
    assert told(command, *at, "--from", "5") == []


@pytest.mark.parametrize(("to", "positions"), [(1, [1]), (3, [1, 2, 3]), (99, [1, 2, 3, 4])])
def test_the_log_is_read_to_a_position(command, at_times, to, positions):
    at_times(0, 10)
    assert [each["position"] for each in told(command, "--to", str(to), "--json")] == positions
    assert told(command, "--from", str(to + 1), "--to", str(to), "--json") == []


def test_to_a_position_it_is_followed_and_no_further(command, at_times):
    at_times(0, 10)
    assert len(told(command, "--follow", "--to", "4", "--json")) == 4
    done = command("event", "list", "--follow", "--at", (NOON).isoformat(), "--json")
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_position_is_a_number_that_there_can_be(command, begun, option):
    command("event", "list", option, str(POSITION_MOST))
    for wrong in ("0", str(POSITION_MOST + 1), "x"):
        assert command("event", "list", option, wrong, exit_code=2).stdout == ""


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "12:00", "soon"])
def test_what_is_no_time_is_wrong_usage(command, begun, time):
    assert command("event", "list", "--at", time, exit_code=2).stdout == ""


# As CloudEvents


def test_every_event_is_a_cloud_event(command, begun, create_task):
    with Parts() as parts:
        parts.claim_results()
        summary = Summary(begun["user_id"], "AK", "c", 1, NOON, NOON, {"IOTDA.000022": 3})
        parts.register.count_refusals([summary], OPERATOR)
    create_task("abc")
    lines, events = told(command, "--json"), told(command, "--format", "cloudevents")
    incarnation = next(each["incarnation"] for each in lines if each["event"] == "log.begun")
    for line, event in zip(lines, events, strict=True):
        assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event)
        assert None not in event.values()
        assert event["specversion"] == "1.0"
        assert event["type"] == line["event"]
        stream, version = event["id"].split("/")
        assert (stream.replace("-", ""), int(version)) == (line["stream"], line["version"])
        assert event["source"] == f"urn:export-tasks:log:{incarnation}"
        assert int(event["sequence"]) == line["position"]
        assert (event["actor"], event["requestid"]) == (line["by"], line["request_id"])
        assert event["time"].endswith("Z")
        assert datetime.fromisoformat(event["time"]) >= datetime.fromisoformat(line["time"])
        assert event["datacontenttype"] == "application/json"
        assert event["data"].items() <= line.items()
        assert not {"by", "key", "request_id", "address"} & event["data"].keys()
    assert [each["sequence"] for each in events] == sorted(each["sequence"] for each in events)
    assert len({each["id"] for each in events}) == len(events)
    subjects = {each["type"]: each.get("subject") for each in events}
    task_id = events[-1]["data"]["task_id"]
    assert subjects["task.created"] == subjects["owner.admitted"] == f"task/{task_id}"
    assert subjects["refused.counted"] == f"user/{begun['user_id']}"
    assert subjects["project.added"] == "project/plant-1"
    assert subjects["log.begun"] is None


def test_the_source_is_known_wherever_one_begins_and_whatever_is_left_out(command, begun):
    with Parts() as parts:
        parts.claim_results()
        parts.ledger.set_limits(SetLimits(5, 50, 30.0, OPERATOR))
    everything = told(command, "--format", "cloudevents")
    for event in everything:
        at = ("--format", "cloudevents", "--from", str(int(event["sequence"])))
        assert told(command, *at)[0] == event
    of_the_user = told(command, "--format", "cloudevents", "--user", begun["user_id"])
    assert all(event in everything for event in of_the_user)


def test_a_log_that_never_began_is_a_source_without_a_name(command, begun):
    sources = {each["source"] for each in told(command, "--format", "cloudevents")}
    assert sources == {"urn:export-tasks:log:none"}


def test_an_incarnation_that_begins_is_a_source_of_its_own(command, begun):
    with Parts() as parts:
        parts.claim_results()
        again = parts.ledger.begin_anew(5, OPERATOR)
        parts.ledger.set_limits(SetLimits(5, 50, 30.0, OPERATOR))
    first, second, last = [each["source"] for each in told(command, "--format", "cloudevents")][-3:]
    assert first != second == last == f"urn:export-tasks:log:{again.incarnation}"


# Addresses


@pytest.fixture
def asked_from(command, begun):
    """Ben's create from an address."""
    made = command.json("user", "add", "ben", "--project", "plant-1", "--admin")
    conditions = ExportConditions("BatchTask", '{"task_id":"a"}', "xls", "GLOBAL", None)
    with Parts() as parts:
        sealed = parts.vault.seal_address(made["user_id"], "192.0.2.7")
        caller = Caller(made["user_id"], "r1", "AK", sealed)
        owner = OwnerId("plant-1", made["user_id"])
        parts.ledger.create(CreateTask(owner, conditions, None, None, caller))
    return sealed


ALL = ("table", "jsonl", "cloudevents")


@pytest.mark.parametrize("form", ALL)
def test_addresses_are_opened_for_an_operator_who_asks(command, asked_from, form):
    of_ben = ("event", "list", "--user", "ben", "--format", form)
    *_, closed = command(*of_ben).stdout.splitlines()
    assert "192.0.2.7" not in closed
    assert (asked_from in closed) == (form == "jsonl")
    *_, opened = command(*of_ben, "--addresses").stdout.splitlines()
    wanted = {"table": "address=192.0.2.7"}.get(form, '"address": "192.0.2.7"')
    assert wanted in opened
    assert asked_from not in opened


@pytest.mark.parametrize("form", ALL)
def test_a_forgotten_person_s_address_is_a_dash(command, asked_from, form):
    command("user", "remove", "ben")
    lines = command("event", "list", "--format", form, "--addresses").stdout.splitlines()
    wanted = {"table": " address=-"}.get(form, '"address": "-"')
    assert sum(wanted in line for line in lines) == 2


def test_an_address_that_was_altered_does_not_stop_the_log(command, asked_from):
    with Parts() as parts, parts.log.recorder.datastore.transaction(commit=True) as cursor:
        cursor.execute(
            "UPDATE stored_events SET state = CAST(replace(state, ?, 'AAAA') AS BLOB)",
            [asked_from],
        )
    lines = command("event", "list", "--addresses").stdout.splitlines()
    assert sum("address=unreadable" in line for line in lines) == 2


def test_events_without_an_address_have_none(command, begun):
    assert {each["address"] for each in told(command, "--json", "--addresses")} == {None}
    assert not [
        e for e in told(command, "--format", "cloudevents", "--addresses") if "address" in e
    ]


# What nobody can read


@pytest.mark.parametrize("form", ALL)
def test_an_event_that_cannot_be_read_is_shown_as_it_is_stored(command, at_times, form):
    at_times(0, 10)
    with Parts() as parts, parts.log.recorder.datastore.transaction(commit=True) as cursor:
        cursor.execute("UPDATE stored_events SET topic = 'task.no' WHERE rowid = 2")
        cursor.execute("UPDATE stored_events SET state = CAST('?' AS BLOB) WHERE rowid = 3")
    lines = command("event", "list", "--format", form).stdout.splitlines()
    assert len(lines) == 4
    assert "task.no" in lines[1]
    assert "TopicError" in lines[1]
    assert "resource_condition" in lines[1]
    assert "owner.admitted" in lines[2]
    assert "task.created" in lines[3]
