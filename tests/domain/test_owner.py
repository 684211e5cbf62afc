"""Five unfinished, fifty kept, ids that grow: contract, sections 2.2 and 2.3."""

from __future__ import annotations

from random import Random
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.popo import POPOApplicationRecorder

from domain.commands import Progress
from domain.owner import Owner
from domain.refusals import Invalid, NoSuchTask, OwnerClosed, UnfinishedLimitReached
from domain.task import Task
from tests.facts import ANN, BEN, LEASE, NOON, OPERATOR, Story

NOON_MS = int(NOON.timestamp()) * 1000


def test_a_create_is_the_owners_event_then_the_task(story):
    task = story.create()
    admitted, created = story.events()
    assert admitted == Owner.Admitted(
        originator_id=admitted.originator_id,
        originator_version=1,
        timestamp=NOON,
        by="ann",
        request_id="r1",
        key="AK",
        address=None,
        project_id="p1",
        user_id="ann",
        kept=[task.task_id],
        holders=[task.task_id],
        last_id=task.task_id,
        task_id=task.task_id,
        evicted=[],
        unfinished_limit=5,
        kept_limit=50,
    )
    assert created.task_id == task.task_id


def test_five_may_be_unfinished_and_the_sixth_is_refused(story):
    for _ in range(5):
        story.create()
    before = story.head()
    with pytest.raises(UnfinishedLimitReached, match="5 unfinished"):
        story.create()
    assert story.head() == before


def test_a_finished_task_frees_its_slot_without_telling_its_owner(story):
    tasks = [story.create() for _ in range(5)]
    story.complete(tasks[2])
    task = story.create()
    assert story.events()[-2].holders == [
        *(each.task_id for each in tasks if each is not tasks[2]),
        task.task_id,
    ]


def test_owners_do_not_share_their_slots(story):
    for _ in range(5):
        story.create(ANN)
    assert story.create(BEN).owner == BEN


def test_the_fifty_first_create_removes_the_earliest_first(story):
    tasks = _fifty(story)
    before = story.head()
    newest = story.create()
    evicted, admitted, created = story.events(before)
    assert isinstance(evicted, Task.Evicted)
    assert evicted.originator_id == tasks[0].id
    assert (evicted.reason, evicted.by_task) == ("kept_limit", newest.task_id)
    assert admitted.evicted == [tasks[0].task_id]
    assert admitted.kept == [*(each.task_id for each in tasks[1:]), newest.task_id]
    assert created.task_id == newest.task_id


def test_the_fiftieth_removes_nothing(story):
    _fifty(story)
    assert "task.evicted" not in story.told()


def test_an_unfinished_earliest_goes_too_and_gives_up_its_slot(story):
    story.limits(2, 2)
    first, second = story.create(), story.create()
    story.complete(second)
    third = story.create()
    assert story.events()[-2].holders == [third.task_id]
    assert story.ledger.task(first.task_id).evicted == "kept_limit"


def test_the_slots_are_judged_before_any_eviction(story):
    story.limits(2, 2)
    story.create(), story.create()
    before = story.head()
    with pytest.raises(UnfinishedLimitReached, match="2 unfinished"):
        story.create()
    assert story.head() == before


def test_a_lowered_limit_evicts_the_excess_at_the_next_create(story):
    tasks = [story.create() for _ in range(4)]
    for task in tasks:
        story.complete(task)
    story.limits(2, 2)
    before = story.head()
    newest = story.create()
    assert story.told(before) == ["task.evicted"] * 3 + ["owner.admitted", "task.created"]
    assert story.events()[-2].kept == [tasks[3].task_id, newest.task_id]


@pytest.mark.parametrize(
    ("field", "numbers"),
    [
        ("unfinished", (0, 50, 30)),
        ("unfinished", (6, 5, 30)),
        ("kept", (1, 0, 30)),
        ("kept", (1, 1001, 30)),
        ("download_interval", (5, 50, -1)),
        ("download_interval", (5, 50, 86_401)),
    ],
)
def test_limits_have_limits(story, field, numbers):
    with pytest.raises(Invalid) as refusal:
        story.limits(*numbers)
    assert refusal.value.field == field


@pytest.mark.parametrize("numbers", [(1, 1, 0), (5, 5, 30), (1000, 1000, 86_400)])
def test_limits_may_be_set_up_to_their_limits(story, numbers):
    story.limits(*numbers)
    limits = story.ledger.limits()
    assert (limits.unfinished, limits.kept, limits.download_interval) == numbers


def test_ids_grow_whatever_the_clock_does(story):
    story.limits(100, 100)
    ids = []
    for minutes in (0, 10, -30, 0, 0, 60, -600):
        story.clock.pass_by(minutes=minutes)
        ids.append(story.create().task_id)
    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {24}


@pytest.mark.parametrize(
    ("last", "bits", "expected"),
    [
        ("0" * 24, 0xABC, f"{NOON_MS:012x}{0xABC:012x}"),
        (f"{NOON_MS - 1:012x}{7:012x}", 0xABC, f"{NOON_MS:012x}{0xABC:012x}"),
        (f"{NOON_MS:012x}{0xABC:012x}", 0xABC, f"{NOON_MS:012x}{0xABC + 1 + 0xABC:012x}"),
        (f"{NOON_MS + 1:012x}{7:012x}", 0xABC, f"{NOON_MS + 1:012x}{7 + 1 + 0xABC:012x}"),
    ],
    ids=["the first", "after the last", "the same again", "the clock was set back"],
)
def test_an_id_is_milliseconds_and_chance_or_a_step_beyond_the_last(last, bits, expected):
    drawn = []

    class Drawing(Random):
        def getrandbits(self, k):
            drawn.append(k)
            return bits

    owner = Owner.bare(UUID(int=1), 0)
    owner.last_id = last
    assert owner.next_task_id(NOON, Drawing()) == expected
    assert drawn == [48, 32]


def test_an_owner_begins_with_nothing_and_is_open():
    owner = Owner.bare(UUID(int=1), 0)
    assert (owner.kept, owner.holders, owner.last_id, owner.closed) == ([], [], "0" * 24, False)


def test_a_deleted_task_is_evicted_then_released(story):
    kept, task = story.create(), story.create()
    before = story.head()
    story.delete(task)
    evicted, released = story.events(before)
    assert (evicted.reason, evicted.by_task, evicted.by) == ("deleted", None, "ann")
    assert released.kept == released.holders == [kept.task_id]
    assert released.last_id == task.task_id


def test_of_three_tasks_the_one_in_the_middle_is_deleted(story):
    first, task, last = story.create(), story.create(), story.create()
    story.delete(task)
    released = story.events()[-1]
    assert released.kept == released.holders == [first.task_id, last.task_id]


def test_more_unfinished_than_are_allowed_by_now_are_too_many(story):
    for _ in range(4):
        story.create()
    story.limits(2, 50)
    with pytest.raises(UnfinishedLimitReached, match="2 unfinished"):
        story.create()


def test_a_repeated_delete_changes_nothing(story):
    task = story.create()
    story.delete(task)
    before = story.head()
    story.delete(task)
    assert story.head() == before


def test_a_task_removed_by_the_limit_cannot_be_deleted(story):
    story.limits(1, 1)
    first = story.create()
    story.complete(first)
    story.create()
    with pytest.raises(NoSuchTask):
        story.delete(first)


@pytest.mark.parametrize(("owner", "another"), [(ANN, BEN), (BEN, ANN)])
@pytest.mark.parametrize("deleted", [False, True])
def test_anothers_task_is_as_if_it_did_not_exist(story, owner, another, deleted):
    task = story.create(owner)
    if deleted:
        story.delete(task, owner)
    with pytest.raises(NoSuchTask):
        story.delete(task, another)


def test_closing_an_owner_removes_every_task_and_admits_no_more(story):
    tasks = [story.create(), story.create()]
    before = story.head()
    story.ledger.close(ANN, OPERATOR)
    assert story.told(before) == ["task.evicted", "task.evicted", "owner.closed"]
    assert all(story.ledger.task(task.task_id).evicted for task in tasks)
    with pytest.raises(OwnerClosed):
        story.create()
    before = story.head()
    story.ledger.close(ANN, OPERATOR)
    assert story.head() == before


class Counting(POPOApplicationRecorder):
    """Counts the events that are read."""

    def __init__(self):
        super().__init__()
        self.read = 0

    def select_events(self, *stream, **selection):
        found = list(super().select_events(*stream, **selection))
        self.read += len(found)
        return found


def test_a_create_costs_the_same_however_long_the_owners_exports_have_run():
    def read_by_a_refused_create(renewals):
        recorder = Counting()
        story = Story(recorder)
        for _ in range(5):
            task = story.create()
            claim = story.claim(task)
            for _ in range(renewals):
                story.ledger.progress(claim, LEASE, Progress())
        recorder.read = 0
        with pytest.raises(UnfinishedLimitReached):
            story.create()
        return recorder.read

    assert read_by_a_refused_create(100) == read_by_a_refused_create(0)


def _fifty(story):
    tasks = []
    for _ in range(50):
        tasks.append(story.create())
        story.complete(tasks[-1])
    return tasks


def _make_unreadable(story, task):
    version = len(story.ledger.history(task.task_id)) + 1
    story.recorder.insert_events([StoredEvent(task.id, version, "task.unheard_of", b"{}")])


def test_a_task_that_cannot_be_read_holds_its_slot_and_can_be_deleted(story):
    story.limits(2, 2)
    task, _ = story.create(), story.create()
    _make_unreadable(story, task)
    with pytest.raises(UnfinishedLimitReached):
        story.create()
    with pytest.raises(NoSuchTask):
        story.delete(task, BEN)
    story.delete(task)
    assert story.create()


def test_a_task_that_cannot_be_read_after_a_long_history_can_be_deleted(story):
    task = story.create()
    story.claim(task)
    story.claim(task)
    _make_unreadable(story, task)
    story.delete(task)
    assert [event.topic for event in story.recorder.select_events(task.id)][3:] == [
        "task.unheard_of",
        "task.evicted",
    ]


def test_a_task_that_cannot_be_read_is_evicted_in_its_turn(story):
    story.limits(2, 2)
    task, other = story.create(), story.create()
    story.complete(other)
    _make_unreadable(story, task)
    newest = story.create()
    stored = list(story.recorder.select_events(task.id))
    assert stored[-1].topic == "task.evicted"
    assert newest.task_id in stored[-1].state.decode()


def test_a_task_that_never_was_cannot_be_deleted(story):
    task = story.create()
    task.task_id = "0" * 24
    with pytest.raises(NoSuchTask):
        story.delete(task)
