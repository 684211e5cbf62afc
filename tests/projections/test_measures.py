"""What the whole log has seen is counted, once, and so that every number has its counterpart."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import partial
from random import Random

import pytest
from eventsourcing.persistence import StoredEvent

from domain.commands import Claim, CompleteTask, Progress
from domain.refusals import Refusal
from projections.measured import Measured
from projections.measures import BOUNDS, BUCKETS
from projections.rebuild import rebuild
from tests.facts import ANN, BEN, LEASE, OPERATOR, a_file


@pytest.fixture
def measured(node):
    """As it is now."""
    return lambda: Measured.read(node.follower)


def ended(measured: Measured) -> dict[str, int]:
    """How claims ended, where any did so."""
    return {how: count for how, count in measured.ended.items() if count}


def test_before_the_first_event_there_is_nothing(measured):
    nothing = measured()
    assert (nothing.measures, nothing.frozen, nothing.frozen_owners) == ({}, 0, 0)
    assert (nothing.created, nothing.claims, nothing.written, ended(nothing)) == (0, 0, (0, 0), {})


def test_a_task_is_measured_from_its_creation_to_its_file(story, measured):
    task = story.create()
    story.clock.pass_by(seconds=7)
    claim = story.claim(task)
    story.clock.pass_by(seconds=2)
    story.ledger.progress(claim, LEASE, Progress(5, 10, 45))
    story.ledger.hand_back(claim, "shutdown")
    story.clock.pass_by(seconds=41)
    claim = story.claim(task)
    story.clock.pass_by(seconds=0.04)
    complete(story, claim, rows=10, size=4000)
    told = measured()
    assert (told.created, told.claims) == (1, 2)
    assert ended(told) == {"released": 1, "completed": 1}
    assert told.written == (10, 4000)
    assert (told.counts("wait"), told.amount("wait")) == ({"10": 1}, 7000)
    assert (told.counts("run"), told.amount("run")) == ({"0.1": 1}, 40)
    assert (told.counts("total"), told.amount("total")) == ({"60": 1}, 50_040)


def complete(story, claim, **file):
    """An exporter completes the task that it has claimed."""
    made = a_file(story.ledger.task(claim.task_id), claim, **file)
    story.ledger.complete(CompleteTask(claim, made, made.rows))


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_bucket_holds_what_takes_as_long_as_its_bound_says_and_no_longer(story, measured, bound):
    first, second = story.create(), story.create()
    story.clock.pass_by(seconds=bound)
    story.claim(first)
    assert measured().count("wait", f"{bound:g}") == 1
    story.clock.pass_by(seconds=0.001)
    story.claim(second)
    assert measured().count("wait", BUCKETS[BOUNDS.index(bound) + 1]) == 1


def test_a_clock_that_is_behind_takes_nothing_from_a_sum(story, measured):
    task = story.create()
    story.clock.pass_by(seconds=-3)
    story.complete(task)
    told = measured()
    assert (told.counts("total"), told.amount("total")) == ({"0.1": 1}, 0)


def test_a_lost_lease_is_found_by_the_next_exporter_or_by_who_gives_the_task_up(story, measured):
    task = story.create()
    story.claim(task, "e1")
    story.claim(task, "e2")
    assert ended(measured()) == {"lost": 1}
    assert story.claim(task, "e3", crashes_allowed=2) is None
    told = measured()
    assert ended(told) == {"lost": 2}
    assert told.count("failed", "IOTDA.014709") == 1


def test_a_failure_is_counted_by_its_code_and_ends_the_claim(story, measured):
    task = story.create()
    story.ledger.fail(story.claim(task), "IOTDA.014705", "No.")
    told = measured()
    assert (told.count("failed", "IOTDA.014705"), ended(told)) == (1, {"failed": 1})


def test_a_removed_task_is_counted_and_so_is_the_claim_that_it_ends(story, measured):
    story.limits(unfinished=2, kept=2)
    first, _ = story.create(), story.create()
    story.claim(first)
    story.delete(first)
    told = measured()
    assert (told.count("removed", "deleted"), ended(told)) == (1, {"removed": 1})
    waiting = story.create()
    story.complete(waiting)
    story.create()
    assert measured().count("removed", "kept_limit") == 1
    assert ended(measured()) == {"removed": 1, "completed": 1}


def test_a_task_that_is_completed_and_was_never_claimed_ran_for_no_time(node, story, measured):
    """None of ours is; but replay never refuses."""
    task = story.ledger.task(story.create().task_id)
    task.held, task.exporter = True, "e1"
    claim = Claim(task.task_id, 0, "e1")
    file = a_file(task, claim)
    task.complete(CompleteTask(claim, file, file.rows), OPERATOR, story.clock())
    story.journal.record(lambda now: ([task], None))
    assert (measured().counts("run"), measured().counts("total")) == ({}, {"0.1": 1})
    assert node.queries.quarantined() == []


def test_a_granted_download_is_counted(story, measured):
    task = story.create()
    story.complete(task)
    story.grant(task)
    assert measured().counts("granted") == {"": 1}


def test_owners_of_frozen_tasks_are_counted_once(node, story, measured):
    tasks = [story.create(), story.create(), story.create(BEN)]
    measured()
    for task in tasks:
        unheard = StoredEvent(task.id, 2, "task.unheard_of", b"{}")
        node.log.recorder.insert_events([unheard])
    assert (measured().frozen, measured().frozen_owners) == (3, 2)


@pytest.mark.parametrize("seed", range(5))
def test_every_claim_has_ended_in_one_way_or_is_held(node, story, measured, seed):
    chance = Random(seed)
    story.limits(unfinished=3, kept=6)
    claims = [story.claim(story.create())]
    for _ in range(150):
        story.clock.pass_by(seconds=chance.randrange(-5, 60))
        claim = chance.choice(claims[-5:])
        doings = [
            lambda: claims.append(story.claim(story.create(chance.choice([ANN, BEN])))),
            partial(claim_again, story, claims, claim.task_id),
            partial(story.ledger.hand_back, claim, "shutdown"),
            partial(story.ledger.fail, claim, "IOTDA.014706", "no source"),
            partial(complete, story, claim),
            partial(story.delete, story.ledger.task(claim.task_id)),
        ]
        with suppress(Refusal):
            chance.choice(doings)()
    told, topics = measured(), Counter(story.told())
    began = [each for each in story.events() if each.TOPIC == "task.progressed" and begins(each)]
    assert (told.created, told.claims) == (topics["task.created"], len(began))
    assert told.ended["completed"] == topics["task.completed"]
    assert told.ended["failed"] == topics["task.failed"] - told.count("failed", "IOTDA.014709")
    assert all(told.ended.values())
    assert rebuild(node.log.recorder, node.tables).different == 0
    assert measured() == told


def begins(event):
    """Is it the claim that an attempt begins with, and no news of one?"""
    return not event.released and event.progress == 1


def claim_again(story, claims, task_id):
    """Another exporter takes a task, whoever has it."""
    if claim := story.claim(story.ledger.task(task_id), "e2"):
        claims.append(claim)
