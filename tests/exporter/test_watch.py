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
    from collections.abc import Iterator

    from projections.rows import TaskRow
    from tests.workshop import Workshop


@pytest.fixture
def clock() -> workshop.Watch:
    return workshop.Watch()


@pytest.fixture
def watch(clock: workshop.Watch) -> Watch:
    return Watch(clock)


def free(watch: Watch, shop: Workshop) -> list[str]:
    row = watch.first(shop.queries.work())
    return [row.task_id] if row else []


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
    watch.first([replace(row, version=int("1000"))])
    clock.pass_by(LEASE)
    assert watch.first([replace(row, version=int(version))]) is None
    clock.pass_by(LEASE - 1)
    watch.first([replace(row, version=int(version))])
    clock.pass_by(1)
    assert watch.first([replace(row, version=int(version))])


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
    row = watch.first(shop.queries.work())
    assert row
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
    assert free(watch, shop) == [abandoned.task_id]


def test_a_task_that_is_over_is_forgotten(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    task = shop.create()
    claim = shop.story.claim(task)
    assert claim
    work = list(shop.queries.work())
    watch.first(work)
    clock.pass_by(LEASE)
    watch.first([])
    assert watch.first(work) is None


def test_one_that_waits_behind_the_first_free_one_is_not_forgotten(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    first, second = shop.create(), shop.create()
    claim = shop.story.claim(second)
    assert claim
    shop.story.ledger.hand_back(claim, "the source is locked", wait=5.0, fault=True)
    work = list(shop.queries.work())
    assert [row.task_id for row in work] == [first.task_id, second.task_id]
    watch.first(work[1:])
    clock.pass_by(4)
    assert watch.first(work) == work[0]
    clock.pass_by(1)
    assert watch.first(work[1:]) == work[1]


def test_held_ones_that_are_over_are_forgotten_while_others_wait(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    held, waiting = shop.create(), shop.create()
    shop.story.claim(held)
    work = list(shop.queries.work())
    assert watch.first(work) == work[1]
    clock.pass_by(LEASE)
    assert watch.first(work[1:]) == work[1]
    assert watch.first(work) == work[1]
    assert waiting.task_id == work[1].task_id


def test_a_wait_does_not_begin_before_the_task_was_read(
    watch: Watch, shop: Workshop, clock: workshop.Watch
) -> None:
    claim = shop.story.claim(shop.create())
    assert claim

    def slowly() -> Iterator[TaskRow]:
        clock.pass_by(4)
        shop.story.ledger.hand_back(claim, "the source is locked", wait=5.0, fault=True)
        yield from shop.queries.work()

    assert watch.first(slowly()) is None
    clock.pass_by(4)
    assert free(watch, shop) == []
    clock.pass_by(1)
    assert len(free(watch, shop)) == 1
