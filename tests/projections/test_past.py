"""What there was at a time is what a fold of the whole log up to there says, and costs little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from eventsourcing.persistence import PersistenceError

from domain.refusals import Unavailable
from projections import moments
from projections.facts import fact_of
from projections.past import Past, Then
from projections.rebuild import rebuild
from projections.replay import Replay
from projections.rows import ListedTask, Page
from tests.facts import ANN, BEN, NOON, OPERATOR
from tests.histories import History

SECOND = timedelta(seconds=1)


@pytest.fixture
def often(monkeypatch):
    """A moment every four events."""
    for place in ("position", "past"):
        monkeypatch.setattr(f"projections.{place}.EVERY", 4)


@pytest.fixture
def past(node):
    """The log as it was."""
    return Past(node.log.recorder, node.follower)


def expected(replay, owner):
    """The owner's tasks with their files, as a fold of everything has them."""
    return {
        task.task_id: (task, replay.download(task))
        for task in replay.tasks()
        if task.owner == owner
    }


@pytest.mark.parametrize("seed", range(12))
def test_at_every_position_it_is_what_the_whole_fold_says(node, story, seed):
    history = History(story, seed)
    history.happen(60)
    replay = Replay(node.log.recorder)
    for position in range(story.head() + 2):
        replay.advance(position)
        then = Then(node.log.recorder, position)
        for owner in (ANN, BEN):
            wanted = expected(replay, owner)
            page = then.tasks(owner, limit=50)
            assert page.tasks == [task for task, _ in wanted.values()]
            assert page.count == len(wanted)
            for _, task in history.tasks:
                assert then.task(owner, task.task_id) == wanted.get(task.task_id)
    assert {event.TOPIC for event in story.events()} >= {"task.evicted", "owner.released"}
    wanted = [listed(task) for task, _ in expected(replay, ANN).values()]
    assert node.queries.tasks(ANN, limit=50).tasks == wanted


def listed(task):
    return ListedTask(*[getattr(task, name) for name in ListedTask.__struct_fields__])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("page", [1, 3, 4, 1000])
def test_a_time_is_the_end_of_the_longest_beginning_that_is_not_later(
    node, story, past, often, seed, page
):
    node.follower._page = page
    History(story, seed).happen(40)
    events = node.log.recorder.select_notifications(None, 1000)
    latest = list(accumulate((fact_of(event).timestamp for event in events), max))
    assert latest != [fact_of(event).timestamp for event in events]
    for at in {each + more for each in latest for more in (-SECOND, SECOND * 0, SECOND)}:
        not_later = [event.id for event, time in zip(events, latest, strict=True) if time <= at]
        assert past.position(at) == max(not_later, default=0)


def test_where_a_clock_was_wrong_an_event_counts_as_of_the_later_one_before_it(story, past):
    for minutes in (0, 10, -5):  # noon, ten past, five past
        story.clock.pass_by(minutes=minutes)
        story.limits()
    assert [past.position(NOON + timedelta(minutes=m)) for m in (-1, 0, 5, 9, 10, 60)] == [
        0, 1, 1, 1, 3, 3,
    ]  # fmt: skip


def test_an_empty_log_has_no_past(past):
    assert past.position(datetime.max.replace(tzinfo=UTC)) == 0
    assert past.at(NOON).tasks(ANN) == Page([], 0)


def test_an_event_that_cannot_be_read_has_no_time_and_hides_none(node, story, past, often):
    for _ in range(9):
        story.limits()
        story.clock.pass_by(seconds=1)
    with node.log.recorder.datastore.transaction(commit=True) as cursor:
        cursor.execute("UPDATE stored_events SET topic = 'limits.no' WHERE rowid IN (3, 4)")
        cursor.execute(
            "UPDATE stored_events SET state ="
            " CAST(replace(state, '+00:00', '') AS BLOB) WHERE rowid = 6"
        )
    found = [past.position(NOON + SECOND * second) for second in range(-1, 9)]
    assert found == [0, 1, 4, 4, 4, 6, 6, 7, 8, 9]
    assert [row["latest"][17:19] for row in node.rows("moments")] == ["01", "07"]


@pytest.mark.parametrize("events", [3, 4, 5, 8])
def test_moments_are_the_same_however_the_tables_were_made(node, story, often, events):
    for _ in range(events):
        story.limits()
        story.clock.pass_by(seconds=1)
        node.rows("moments")
    grown = node.rows("moments")
    assert [row["count"] for row in grown] == [4, 8][: events // 4]
    assert [row["position"] for row in grown] == [4, 8][: events // 4]
    done = rebuild(node.log.recorder, node.tables)
    assert (done.compared, done.different) == (True, 0)
    assert node.rows("moments") == grown


def test_moments_count_events_and_not_positions_which_have_gaps(node, story, past, often):
    for _ in range(9):
        story.limits()
        story.clock.pass_by(seconds=1)
    with node.log.recorder.datastore.transaction(commit=True) as cursor:
        cursor.execute("DELETE FROM stored_events WHERE rowid IN (2, 4)")
    found = [(row["count"], row["position"]) for row in node.rows("moments")]
    assert found == [(4, 6)]
    assert [past.position(NOON + SECOND * second) for second in range(9)] == [
        1, 1, 3, 3, 5, 6, 7, 8, 9,
    ]  # fmt: skip


def test_a_thousand_events_lie_between_two_moments(node, story):
    assert moments.EVERY == 1000
    for _ in range(1001):
        story.limits()
    (row,) = node.rows("moments")
    assert row == {"count": 1000, "position": 1000, "latest": f"{NOON:%FT%T}.000000+00:00"}


def test_no_more_than_the_events_after_a_moment_are_read_to_find_a_position(
    node, story, past, often, monkeypatch
):
    for _ in range(20):
        story.limits()
        story.clock.pass_by(seconds=1)
    node.rows("moments")
    read, select = [], node.log.recorder.select_notifications

    def counted(*arguments, **more):
        found = select(*arguments, **more)
        read.extend(found)
        return found

    monkeypatch.setattr(node.log.recorder, "select_notifications", counted)
    assert past.position(NOON + SECOND * 13) == 14
    assert len(read) == 1 + 4  # the last event, by which the tables know their log, and a stretch


# The list


@pytest.fixture
def five(story):
    """Five tasks of Ann's, and where the log was after them."""
    story.limits(unfinished=50)
    tasks = [story.create(ANN, "ab"[number % 2]) for number in range(5)]
    head = story.head()
    story.delete(tasks[1])
    story.create(ANN)
    return [task.task_id for task in reversed(tasks)], head


@pytest.mark.parametrize(
    ("which", "numbers", "count"),
    [
        ({}, [0, 1, 2, 3, 4], 5),
        ({"limit": 2}, [0, 1], 5),
        ({"limit": 2, "offset": 1}, [1, 2], 5),
        ({"offset": 5}, [], 5),
        ({"marker": 1}, [2, 3, 4], 5),
        ({"marker": 4}, [], 5),
        ({"marker": 1, "offset": 1, "limit": 1}, [3], 5),
        ({"resource_condition": '{"task_id":"b"}'}, [1, 3], 2),
        ({"resource_condition": '{"task_id":"b"}', "marker": 1}, [3], 2),
        ({"status": "Success"}, [], 0),
        ({"status": "Processing", "app_id": None}, [0, 1, 2, 3, 4], 5),
    ],
)
def test_a_list_of_then_is_narrowed_and_paged_as_one_of_today(node, five, which, numbers, count):
    ids, head = five
    if "marker" in which:
        which = {**which, "marker": ids[which["marker"]]}
    page = Then(node.log.recorder, head).tasks(ANN, **which)
    assert [task.task_id for task in page.tasks] == [ids[number] for number in numbers]
    assert page.count == count


def test_at_most_ten_are_listed_unless_more_are_asked_for(node, story):
    story.limits(unfinished=50)
    for _ in range(11):
        story.create()
    then = Then(node.log.recorder, story.head())
    assert (len(then.tasks(ANN).tasks), then.tasks(ANN).count) == (10, 11)


# One task


def test_what_happened_to_several_tasks_counts_in_the_order_of_the_log(node, story):
    older, newer = story.create(), story.create()
    story.complete(newer)
    story.delete(newer)  # the last that had a file: with it the file went
    file = story.complete(older)
    _, found = Then(node.log.recorder, story.head()).task(ANN, older.task_id)
    assert found.key == file.key


def test_another_owners_task_is_none_then_too(node, story):
    task = story.create(ANN)
    then = Then(node.log.recorder, story.head())
    assert then.task(ANN, task.task_id)
    assert then.task(BEN, task.task_id) is None


def test_a_task_that_was_admitted_but_not_created_yet_is_none(node, story):
    task = story.create(ANN)
    admitted = Then(node.log.recorder, story.head() - 1)
    assert admitted.task(ANN, task.task_id) is None
    assert admitted.tasks(ANN).tasks == []


def test_a_frozen_task_is_told_as_far_as_it_can_be_read(node, story, caplog):
    task = story.create()
    story.complete(task)
    with node.log.recorder.datastore.transaction(commit=True) as cursor:
        cursor.execute("UPDATE stored_events SET topic = 'task.no' WHERE rowid = 4")
    found, file = Then(node.log.recorder, story.head()).task(ANN, task.task_id)
    assert (found.status, found.attempt, file) == ("Processing", 1, None)
    assert caplog.text == ""


def test_a_store_that_does_not_answer_is_no_past(node, story, past, monkeypatch):
    task = story.create()
    then = past.at(NOON)

    def fail(*_, **__):
        raise PersistenceError

    monkeypatch.setattr(node.log.recorder, "events_of", fail)
    for ask in (lambda: then.tasks(ANN), lambda: then.task(ANN, task.task_id)):
        with pytest.raises(Unavailable):
            ask()
    monkeypatch.setattr(node.log.recorder, "select_notifications", fail)
    with pytest.raises(Unavailable):
        past.position(NOON)


def test_a_closed_owner_had_tasks_before(node, story):
    task = story.create()
    head = story.head()
    story.ledger.close(ANN, OPERATOR)
    assert Then(node.log.recorder, head).task(ANN, task.task_id)
    assert Then(node.log.recorder, story.head()).task(ANN, task.task_id) is None
