"""What the log lines of facts say, and what a fact carries of the trace that it belongs to."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError

from domain.commands import DeleteTask
from domain.task import task_stream
from tests.facts import ANN

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def told(caplog):
    """The keys of the lines so far."""
    caplog.set_level(logging.INFO, "domain")
    return lambda: [each.keys for each in caplog.records if each.message == "event appended"]


def positions(story) -> list[int]:
    return [each.id for each in story.recorder.select_notifications(1, 1000)]


def test_each_fact_is_told_with_its_request_its_task_and_where_it_stands(story, told):
    task = story.create()
    admitted, created = told()
    first, second = positions(story)
    whose = {"request_id": task.request_id, "task": task.task_id}
    assert admitted == {"topic": "owner.admitted", **whose, "position": first}
    known = {**whose, "task_request_id": task.request_id}
    assert created == {"topic": "task.created", **known, "position": second}


def test_what_exporters_say_is_told_under_the_request_that_created_the_task(story, told):
    task = story.create()
    story.complete(task)
    *_, claimed, completed = told()
    assert (claimed["topic"], completed["topic"]) == ("task.progressed", "task.completed")
    for keys in (claimed, completed):
        assert keys["task"] == task.task_id
        assert keys["task_request_id"] == task.request_id
        assert keys["request_id"] != task.request_id


def test_a_fact_of_no_task_is_told_without_one(story, told):
    story.limits()
    (keys,) = told()
    assert set(keys) == {"topic", "request_id", "position"}


def test_a_try_that_did_not_land_is_not_told(story, told):
    insert = story.recorder.insert_events

    def once(stored, **more):
        story.recorder.insert_events = insert
        raise IntegrityError("conflict")

    story.recorder.insert_events = once
    story.limits()
    assert [keys["position"] for keys in told()] == positions(story)


@pytest.mark.parametrize("error", [IntegrityError("lost"), OperationalError("lost")])
def test_a_fact_whose_answer_was_lost_is_told_without_its_place(story, told, error):
    insert = story.recorder.insert_events

    def lost(stored, **more):
        insert(stored, **more)
        raise error

    story.recorder.insert_events = lost
    story.limits()
    (keys,) = told()
    assert (keys["topic"], "position" in keys) == ("limits.set", False)


def test_where_nobody_listens_nothing_is_made_of_it(story, caplog):
    caplog.set_level(logging.WARNING, "domain")
    made = story.journal._decide

    def noted(decide):
        found = made(decide)
        assert list(found.keys) == []
        return found

    story.journal._decide = noted
    story.create()
    assert caplog.records == []


def test_the_request_of_a_task_is_that_of_its_first_event(story):
    task = story.create()
    story.ledger.delete(DeleteTask(ANN, task.task_id, story.caller()))
    assert story.ledger.request_of(task.task_id) == task.request_id == story.events()[1].request_id


def test_the_request_of_no_task_and_of_one_that_nobody_can_read_is_unknown(story):
    assert story.ledger.request_of("0" * 24) is None
    task = story.create()
    story.journal._read = None
    assert story.ledger.request_of(task.task_id) is None


def test_a_fact_carries_its_trace_where_there_is_one_and_no_word_of_it_elsewhere(story):
    asked = story.creating()
    traced = replace(asked, caller=replace(asked.caller, traceparent=TRACE))
    with_trace, without = story.ledger.create(traced), story.create()
    for task, trace in ((with_trace, TRACE), (without, None)):
        (created,) = story.ledger.history(task.task_id)
        assert created.traceparent == story.ledger.task(task.task_id).traceparent == trace
        (stored,) = story.recorder.select_events(task_stream(task.task_id))
        assert json.loads(bytes(stored.state)).get("traceparent") == trace
        assert (b"traceparent" in bytes(stored.state)) == (trace is not None)
