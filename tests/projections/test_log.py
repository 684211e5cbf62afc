"""An open log offers the same, whatever its store."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from itertools import product
from threading import Barrier, Thread

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.sqlite import SQLiteApplicationRecorder

from domain.limits import LIMITS_STREAM
from domain.task import task_stream
from projections.log import CannotOpen, open_log
from projections.shown import shown
from tests.altered import alter
from tests.facts import ANN, BEN, Story

LIBRARY = {"sqlite": SQLiteApplicationRecorder, "postgresql": PostgresApplicationRecorder}


def librarys(node):
    """The library's own recorder over the same store."""
    return LIBRARY[node.log.kind](node.log.recorder.datastore)


def told(events):
    names = ("id", "originator_id", "originator_version", "topic", "state")
    return [[getattr(event, name) for name in names] for event in events]


def test_another_kind_of_store_is_refused_by_name():
    with pytest.raises(CannotOpen, match="mysql://x"):
        open_log("mysql://x")


def test_a_log_says_of_what_kind_it_is_and_how_it_is_called(events_url):
    with closing(open_log(events_url)) as log:
        assert events_url.startswith(f"{log.kind}://")
        assert log.url == shown(events_url)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("sqlite:////srv/events.sqlite", "sqlite:////srv/events.sqlite"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql://u@h:1/d?sslmode=require", "postgresql://u@h:1/d?sslmode=require"),
        ("postgresql://u:secret@h:1/d", "postgresql://u:…@h:1/d"),
        ("postgresql://u:secr@et@h/d", "postgresql://u:…@h/d"),
        ("postgresql://u:secr/e?t#@h/d", "postgresql://u:…@h/d"),
        ("postgresql://h/d?user=u&password=secret&x=1", "postgresql://h/d?user=u&password=…&x=1"),
        ("postgresql://h/d?sslpassword=secret", "postgresql://h/d?sslpassword=…"),
    ],
)
def test_a_url_is_shown_without_its_password(url, seen):
    assert shown(url) == seen


def test_a_version_can_be_written_once(node, story):
    story.create()
    stored = node.log.recorder.select_notifications(None, 10)
    with pytest.raises(IntegrityError):
        node.log.recorder.insert_events(stored[:1])


def test_of_events_that_are_appended_together_all_are_there_or_none(node, story):
    story.limits()
    (first,) = node.log.recorder.select_events(LIMITS_STREAM)
    again = node.log.recorder.select_notifications(None, 10)
    task = story.create()
    more = node.log.recorder.select_events(task.id)
    alter(node.log, f"DELETE FROM stored_events WHERE originator_id = '{task.id.hex}'")
    head = story.head()
    with pytest.raises(IntegrityError):
        node.log.recorder.insert_events([*more, first])
    assert (story.head(), again[0].state) == (head, first.state)


def test_an_append_tells_the_positions_in_order_and_nothing_is_no_append(node, story):
    task = story.create()
    events = list(node.log.recorder.select_notifications(None, 10))
    alter(node.log, "DELETE FROM stored_events")
    positions = node.log.recorder.insert_events(events)
    assert positions == sorted(positions)
    assert story.told() == ["owner.admitted", "task.created"]
    assert [each.id for each in node.log.recorder.select_notifications(None, 10)] == positions
    assert not node.log.recorder.insert_events([])
    assert story.ledger.task(task.task_id)


class TakenFirst(deque):
    """Idle connections, which another thread takes just before one would."""

    def pop(self):
        while self:
            super().pop()[1].close()
        return super().pop()


def test_a_connection_that_another_thread_takes_first_is_not_missed(node, story):
    task, store = story.create(), node.log._store
    store._idle = TakenFirst(store._idle)
    assert story.ledger.task(task.task_id)
    assert store._idle
    store.close()


def test_the_ledger_takes_the_owners_turn(node, monkeypatch):
    taken, story = [], Story(node.log.recorder)

    def turns(owner):
        taken.append(owner)
        return node.log.turns(owner)

    monkeypatch.setattr(story.journal, "_turns", turns)
    story.create()
    assert taken == [ANN]


def test_writers_of_one_owner_take_turns(node):
    inside, most = [], []

    def writer():
        for _ in range(20):
            with node.log.turns(ANN):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    together(writer, 4)
    assert max(most) == 1
    assert len(most) == 80


def test_the_log_is_read_as_the_librarys_recorder_reads_it(node, story):
    for owner in (ANN, BEN, ANN):
        story.claim(story.create(owner))
    stream = "7" * 32
    columns = "originator_id, originator_version, topic, state"
    alter(
        node.log,
        "DELETE FROM stored_events WHERE rowid = 2",
        f"INSERT INTO stored_events ({columns}) VALUES ('{stream}', 1, 'task.created', 'text')",
    )
    library = librarys(node)
    more = ({}, {"stop": 4}, {"topics": ["task.created"]})
    for start, limit, inclusive, rest in product(
        (None, 0, 1, 3, 7, 8), (0, 1, 3, 100), (True, False), more
    ):
        asked = {"inclusive_of_start": inclusive, **rest}
        ours = node.log.recorder.select_notifications(start, limit, **asked)
        assert told(ours) == told(library.select_notifications(start, limit, **asked))
    assert node.log.recorder.max_notification_id() == library.max_notification_id()


def test_a_stream_is_read_as_the_librarys_recorder_reads_it(node, story):
    for _ in range(4):
        story.limits()
    library = librarys(node)
    for gt, lte, desc, limit in product(
        (None, 0, 2, 9), (None, 0, 3, 9), (False, True), (None, 1, 9)
    ):
        asked = {"gt": gt, "lte": lte, "desc": desc, "limit": limit}
        ours = node.log.recorder.select_events(LIMITS_STREAM, **asked)
        assert ours == library.select_events(LIMITS_STREAM, **asked)


def test_the_last_event_of_a_stream_is_read_as_the_librarys_recorder_reads_it(node, story):
    story.limits()
    story.limits()
    library = librarys(node)
    for stream in (LIMITS_STREAM, LIMITS_STREAM.hex, task_stream("none")):
        ours = node.log.recorder.select_events(stream, desc=True, limit=1)
        assert ours == library.select_events(stream, desc=True, limit=1)


@pytest.mark.parametrize(("newest", "versions"), [(-1, [2, 3]), (0, []), (1, [3]), (9, [2, 3])])
def test_a_part_of_a_stream_is_told_oldest_first(node, story, newest, versions):
    task = story.create()
    story.complete(task)
    story.delete(task)
    first, *_, last = node.log.recorder.events_of(task_stream(task.task_id), story.head())
    found = node.log.recorder.events_of(task.id, last.id - 1, first.id, newest)
    assert [event.originator_version for event in found] == versions


def test_every_topic_is_told_with_its_first_position(node, story):
    assert node.log.recorder.topics() == {}
    for owner in (ANN, BEN):
        story.create(owner)
    assert node.log.recorder.topics() == {"owner.admitted": 1, "task.created": 2}


def test_the_clock_tells_the_time_in_utc_and_goes_on(node):
    first, second = node.log.clock(), node.log.clock()
    assert first.utcoffset().total_seconds() == 0
    assert second >= first


# Tables beside the log


@pytest.fixture
def beside(node):
    """A log with a table of somebody's."""
    with node.log.writing() as cursor:
        cursor.execute("CREATE TABLE mine (name TEXT PRIMARY KEY, number INTEGER)")
    return node.log


def rows(log):
    with log.reading() as cursor:
        cursor.execute("SELECT name, number FROM mine ORDER BY name")
        return [(row["name"], row["number"]) for row in cursor.fetchall()]


def test_rows_are_written_and_read_by_name(beside):
    with beside.writing() as cursor:
        cursor.execute("INSERT INTO mine VALUES (?, ?)", ("50 %", 1))
        cursor.execute("INSERT INTO mine VALUES (?, ?)", ("b?", 2))
        cursor.execute("UPDATE mine SET number = number + ?", (1,))
        assert cursor.rowcount == 2
    assert rows(beside) == [("50 %", 2), ("b?", 3)]
    with beside.reading() as cursor:
        cursor.execute("SELECT number FROM mine WHERE name LIKE '50 %' AND number < ?", (9,))
        assert cursor.fetchone()["number"] == 2
        assert cursor.fetchone() is None


def test_a_write_that_fails_leaves_nothing(beside):
    def write(number):
        with beside.writing() as cursor:
            cursor.execute("INSERT INTO mine VALUES ('a', 1)")
            cursor.execute("INSERT INTO mine VALUES ('a', ?)", (1 // number,))

    for number, error in ((1, IntegrityError), (0, ZeroDivisionError)):
        with pytest.raises(error):
            write(number)
    assert rows(beside) == []


def test_what_a_store_cannot_do_is_one_of_the_librarys_errors(beside):
    def read():
        with beside.reading() as cursor:
            cursor.execute("SELECT * FROM nowhere")

    with pytest.raises(OperationalError):
        read()


def test_writers_of_tables_beside_the_log_are_alone(beside):
    with beside.writing() as cursor:
        cursor.execute("INSERT INTO mine VALUES ('a', 0)")

    def writer():
        for _ in range(5):
            with beside.writing() as cursor:
                cursor.execute("SELECT number FROM mine")
                number = cursor.fetchone()["number"]
                cursor.execute("UPDATE mine SET number = ?", (number + 1,))

    together(writer, 4)
    assert rows(beside) == [("a", 20)]


def test_ten_may_make_the_store_at_once(events_url):
    ready, done = Barrier(10), []

    def make():
        ready.wait()
        with closing(open_log(events_url)) as log:
            done.append(log.recorder.max_notification_id())

    together(make, 10)
    assert done == [None] * 10


def together(work, number):
    threads = [Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
