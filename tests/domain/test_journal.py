"""Losing an answer is not losing; a conflict is decided anew; a store that is gone says so."""

from __future__ import annotations

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError

from domain.commands import CreateTask
from domain.journal import TRIES, utc_now
from domain.log import Log
from domain.refusals import Contended, Unavailable
from tests.facts import ANN, OPERATOR


class Faults:
    """Faults of the store, put before and after its own insert, one a call."""

    def __init__(self, story, *faults):
        self.insert = story.recorder.insert_events
        self.faults = list(faults)
        story.recorder.insert_events = self

    def __call__(self, stored, **more):
        when, error = self.faults.pop(0) if self.faults else ("", None)
        if when == "before":
            raise error
        result = self.insert(stored, **more)
        if when == "after":
            raise error
        return result


@pytest.mark.parametrize("error", [IntegrityError("lost"), OperationalError("lost")])
def test_an_answer_lost_after_the_commit_is_found_in_the_log(story, error):
    Faults(story, ("after", error))
    task = story.create()
    assert story.told() == ["owner.admitted", "task.created"]
    assert story.ledger.task(task.task_id).owner == ANN


def test_a_conflict_is_decided_anew(story):
    Faults(story, ("before", IntegrityError("conflict")))
    story.create()
    assert story.told() == ["owner.admitted", "task.created"]


def test_an_append_that_lands_late_is_not_done_twice(story):
    late = []
    insert = story.recorder.insert_events

    def lands_after_the_look(stored, **more):
        late.append(stored)
        if len(late) == 1:
            raise IntegrityError("conflict")
        return insert(stored, **more)

    story.recorder.insert_events = lands_after_the_look
    story.journal._pause = lambda seconds: insert(late[0])
    task = story.create()
    assert story.told() == ["owner.admitted", "task.created"]
    assert story.events()[-1].task_id == task.task_id


def test_an_append_that_lands_after_the_last_try_is_found_too(story):
    late = []
    insert = story.recorder.insert_events

    def never(stored, **more):
        late.append(stored)
        raise IntegrityError("conflict")

    story.recorder.insert_events = never
    story.journal._pause = lambda seconds: insert(late[-1]) if len(late) == TRIES else None
    story.create()
    assert story.told() == ["owner.admitted", "task.created"]


def test_contention_that_outlasts_the_tries_is_said(story):
    Faults(story, *[("before", IntegrityError("conflict"))] * TRIES)
    with pytest.raises(Contended):
        story.create()
    assert story.told() == []


def test_a_store_that_fails_is_unavailable(story):
    Faults(story, ("before", OperationalError("gone")))
    with pytest.raises(Unavailable):
        story.create()
    assert story.told() == []


def test_a_store_that_cannot_be_read_is_unavailable(story):
    def gone(*arguments, **more):
        raise OperationalError("gone")

    story.recorder.select_events = gone
    with pytest.raises(Unavailable):
        story.ledger.limits()


def test_a_task_deleted_between_looking_and_evicting_is_not_evicted_twice(story):
    story.limits(2, 2)
    first, second = story.create(), story.create()
    story.complete(first), story.complete(second)
    conflicting = story.journal.latest

    def once(aggregate, stream):
        found = conflicting(aggregate, stream)
        if aggregate.__name__ == "Owner":
            story.journal.latest = conflicting
            story.delete(first)
        return found

    story.journal.latest = once
    story.create()
    assert story.told().count("task.evicted") == 1
    assert story.events()[-2].evicted == []


def test_a_log_begins_once_and_says_what_it_is(story):
    log = story.ledger.begin(OPERATOR)
    assert story.ledger.begin(OPERATOR).incarnation == log.incarnation
    (event,) = story.events()
    assert isinstance(event, Log.Begun)
    assert (event.incarnation, event.previous) == (log.incarnation, None)
    assert event.results != event.incarnation


def test_a_restored_log_begins_anew_and_remembers_the_incarnation_before_it(story):
    old = story.ledger.begin(OPERATOR)
    story.create()
    new = story.ledger.begin_anew(3, OPERATOR)
    event = story.events()[-1]
    assert isinstance(event, Log.Begun)
    assert event.incarnation == new.incarnation != old.incarnation
    assert (event.previous, event.previous_count) == (old.incarnation, 3)
    assert event.previous_root is None
    assert event.results == new.results == old.results
    assert story.ledger.begin(OPERATOR).incarnation == new.incarnation


def test_a_log_that_begins_anew_twice_has_three_incarnations_in_a_row(story):
    first = story.ledger.begin(OPERATOR)
    second, third = (story.ledger.begin_anew(count, OPERATOR) for count in (1, 2))
    assert [event.previous for event in story.events()] == [
        None, first.incarnation, second.incarnation,
    ]  # fmt: skip
    assert third.version == 3
    assert len({each.incarnation for each in (first, second, third)}) == 3


def test_a_restored_log_that_never_began_begins(story):
    log = story.ledger.begin_anew(0, OPERATOR)
    (event,) = story.events()
    assert (event.incarnation, event.previous) == (log.incarnation, None)
    assert (event.previous_count, event.results) == (0, log.results)
    assert log.results not in (None, log.incarnation)


@pytest.mark.parametrize("error", [IntegrityError, OperationalError])
def test_an_incarnation_whose_answer_was_lost_is_begun_once(story, error):
    story.ledger.begin(OPERATOR)
    Faults(story, ("after", error()))
    log = story.ledger.begin_anew(1, OPERATOR)
    assert story.told() == ["log.begun", "log.begun"]
    assert story.events()[-1].incarnation == log.incarnation


def test_the_clock_of_the_machine_knows_its_zone():
    assert utc_now().utcoffset().total_seconds() == 0


def test_the_same_command_made_twice_is_two_tasks(story):
    command = story.creating()
    again = CreateTask(
        command.owner, command.conditions, command.app_id, command.instance_id, story.caller()
    )
    first, second = story.ledger.create(command), story.ledger.create(again)
    assert first.task_id < second.task_id
