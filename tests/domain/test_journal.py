"""Losing an answer is not losing; a conflict is decided anew; a store that is gone says so."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from random import Random, SystemRandom

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError

from domain.commands import CreateTask, SetLimits
from domain.fact import Caller
from domain.journal import LOOK_PAUSE, LOOKS, TRIES, Journal, utc_now
from domain.ledger import Ledger
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


@pytest.mark.parametrize("other", ["!", "~"])
def test_what_another_appended_in_our_place_is_not_taken_for_ours(story, other):
    insert = story.recorder.insert_events

    def overtaken(stored, **more):
        story.recorder.insert_events = insert
        story.ledger.set_limits(SetLimits(9, 9, 9.0, Caller(other, "0")))
        return insert(stored, **more)

    story.recorder.insert_events = overtaken
    story.limits(7, 7)
    assert [event.kept for event in story.events()] == [9, 7]


@pytest.mark.parametrize(
    "faults", [(), [("after", IntegrityError("lost"))], [("after", OperationalError("lost"))]]
)
def test_what_is_in_the_log_is_not_waited_for(story, faults):
    pauses = []
    story.journal._pause = pauses.append
    Faults(story, *faults)
    assert story.create()
    assert pauses == []


def test_an_owners_writers_take_turns_at_every_try_and_nobody_else_does(story):
    turns = []

    def turn(owner):
        turns.append(owner)
        return nullcontext()

    journal = Journal(story.recorder, turns=turn, pause=lambda seconds: None)
    ledger = Ledger(journal)
    ledger.set_limits(SetLimits(5, 5, 0.0, OPERATOR))
    assert turns == []
    Faults(story, ("before", IntegrityError("conflict")))
    ledger.create(story.creating())
    assert turns == [ANN, ANN]


def test_chance_is_the_machines_or_what_is_passed_in(story):
    chance = Random(5)
    assert Journal(story.recorder, chance=chance).chance is chance
    assert isinstance(Journal(story.recorder).chance, SystemRandom)


def test_ids_are_of_thirty_two_digits(story):
    class Highest(Random):
        def getrandbits(self, k):
            return (1 << k) - 1

    story.journal.chance = Highest(1)
    assert story.ledger.begin(OPERATOR).incarnation == "f" * 32


def test_the_latest_state_is_read_from_one_event(story):
    for kept in (5, 6, 7):
        story.limits(kept=kept)
    select, looks = story.recorder.select_events, []

    def noted(stream, **selection):
        found = list(select(stream, **selection))
        looks.append(len(found))
        return found

    story.recorder.select_events = noted
    assert story.ledger.limits().kept == 7
    assert looks == [1]


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


def test_between_tries_it_waits_longer_and_longer_by_chance_up_to_a_bound(story):
    class Halfway(Random):
        def random(self):
            return 0.5

    pauses = []
    story.journal.chance, story.journal._pause = Halfway(1), pauses.append
    Faults(story, *[("before", IntegrityError("conflict"))] * TRIES)
    with pytest.raises(Contended):
        story.create()
    assert pauses == pytest.approx([0.00625, 0.0125, 0.01875, *[0.025] * 17])


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_to_find_a_lost_answer_one_event_is_read(story, version):
    for _ in range(version - 1):
        story.limits()
    select, looks = story.recorder.select_events, []

    def noted(stream, **selection):
        found = [
            replace(event, state=bytes(bytearray(event.state)))
            for event in select(stream, **selection)
        ]
        looks.append((selection, [event.originator_version for event in found]))
        return found

    story.recorder.select_events = noted
    Faults(story, ("after", OperationalError("lost")))
    story.limits(2, 2)
    assert looks[-1] == ({"gt": version - 1, "lte": version}, [version])
    assert story.told() == ["limits.set"] * version


def test_a_store_that_fails_is_unavailable(story):
    Faults(story, ("before", OperationalError("gone")))
    with pytest.raises(Unavailable):
        story.create()
    assert story.told() == []


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.parametrize("looks", range(LOOKS + 2))
def test_a_store_that_comes_back_in_time_tells_what_it_had_taken(story, landed, looks):
    select, pauses = story.recorder.select_events, []
    story.journal._pause = pauses.append

    def away(stream, **selection):
        if story.recorder.gone and len(pauses) < looks:
            raise OperationalError("gone")
        return select(stream, **selection)

    def lost(stored, **more):
        story.recorder.gone = True
        if landed:
            insert(stored, **more)
        raise OperationalError("lost")

    insert, story.recorder.gone = story.recorder.insert_events, False
    story.recorder.insert_events, story.recorder.select_events = lost, away
    if landed and looks <= LOOKS:
        assert story.create().version == 1
    else:
        with pytest.raises(Unavailable):
            story.create()
    assert pauses == [LOOK_PAUSE] * min(looks, LOOKS)
    assert story.told().count("task.created") == landed


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
