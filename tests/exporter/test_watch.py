"""When an observer may claim a task, by its own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from domain.commands import Progress
from exporter.watch import Watch
from tests import workshop
from tests.facts import LEASE

if TYPE_CHECKING:
    from tests.workshop import Workshop


@pytest.fixture
def clock() -> workshop.Watch:
    return workshop.Watch()


@pytest.fixture
def watch(clock: workshop.Watch) -> Watch:
    return Watch(clock)


def free(watch: Watch, shop: Workshop) -> list[str]:
    return [row.task_id for row in watch.free(shop.queries.work())]


def test_a_task_that_was_never_claimed_is_free_at_once(watch: Watch, shop: Workshop) -> None:
    task = shop.create()
    assert free(watch, shop) == [task.task_id]


def test_a_fresh_observer_waits_one_full_lease(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    task = shop.create()
    shop.story.claim(task)
    assert free(watch, shop) == []
    clock.pass_by(LEASE - 0.001)
    assert free(watch, shop) == []
    clock.pass_by(0.001)
    assert free(watch, shop) == [task.task_id]


def test_every_new_event_begins_the_lease_anew(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    task = shop.create()
    claim = shop.story.claim(task)
    assert claim
    free(watch, shop)
    clock.pass_by(LEASE - 1)
    shop.story.ledger.progress(claim, LEASE, Progress(1, 2, 50))
    free(watch, shop)
    clock.pass_by(LEASE - 0.001)
    assert free(watch, shop) == []
    clock.pass_by(0.001)
    assert free(watch, shop) == [task.task_id]


@pytest.mark.parametrize("version", ["999", "1001"])
def test_a_task_seen_at_another_version_is_seen_anew_whether_it_is_newer_or_restored(
    watch: Watch, shop: Workshop, clock: workshop.Watch, version: str
) -> None:
    shop.story.claim(shop.create())
    (row,) = shop.queries.work()
    watch.free([replace(row, version=int("1000"))])
    clock.pass_by(LEASE)
    assert watch.free([replace(row, version=int(version))]) == []
    clock.pass_by(LEASE - 1)
    watch.free([replace(row, version=int(version))])
    clock.pass_by(1)
    assert len(watch.free([replace(row, version=int(version))])) == 1


def test_the_lease_is_the_one_that_the_holder_claimed_with(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    task = shop.create()
    shop.story.ledger.claim(task.task_id, 1, "e1", 7.0, 3)
    assert free(watch, shop) == []
    clock.pass_by(7)
    assert free(watch, shop) == [task.task_id]


def test_a_released_task_is_free_after_its_wait(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    task = shop.create()
    claim = shop.story.claim(task)
    assert claim
    shop.story.ledger.hand_back(claim, "the source is locked", wait=5.0, fault=True)
    assert free(watch, shop) == []
    clock.pass_by(4.999)
    assert free(watch, shop) == []
    clock.pass_by(0.001)
    assert free(watch, shop) == [task.task_id]


def test_what_was_lost_is_not_free_before_something_happens_to_it(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    task = shop.create()
    (row,) = watch.free(shop.queries.work())
    watch.lose(row)
    clock.pass_by(1e9)
    assert free(watch, shop) == []
    shop.story.claim(task)
    assert free(watch, shop) == []
    clock.pass_by(LEASE)
    assert free(watch, shop) == [task.task_id]


def test_an_abandoned_task_comes_before_those_that_wait(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    abandoned, waiting = shop.create(), shop.create()
    shop.story.claim(abandoned)
    assert free(watch, shop) == [waiting.task_id]
    clock.pass_by(LEASE)
    assert free(watch, shop) == [abandoned.task_id, waiting.task_id]


def test_a_task_that_is_over_is_forgotten(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    task = shop.create()
    claim = shop.story.claim(task)
    assert claim
    work = shop.queries.work()
    watch.free(work)
    clock.pass_by(LEASE)
    watch.free([])
    assert watch.free(work) == []
