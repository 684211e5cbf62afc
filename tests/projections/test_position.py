"""The position says which log the tables are of, and how far, and moves with the events."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from hashlib import sha256

import pytest

from projections.changes import Changes, nothing
from projections.position import Position, apply, apply_page, immediate, news_since
from projections.seal import Seal, leaf
from tests.facts import BEN, NOON, OPERATOR

TIME = NOON.isoformat(timespec="microseconds")


def position_of(log, event, count, incarnation=None):
    """That of tables after an event, the last of so many in a log."""
    seal = Seal().grown([leaf(each) for each in log.select_notifications(None, count)])
    digest = sha256(event.state).hexdigest()
    stream, version = event.originator_id.hex, event.originator_version
    return Position(event.id, stream, version, digest, count, seal.text, incarnation, TIME)


@pytest.fixture
def log(node, story):
    """Given two tasks."""
    story.create(), story.create(BEN)
    return node.log.recorder


def test_a_position_is_at_the_beginning_at_first_and_cannot_be_changed():
    position = Position()
    assert position == Position(0, "", 0, "", 0, "", None)
    assert not hasattr(position, "__dict__")
    with pytest.raises(FrozenInstanceError):
        position.count = 1


def test_the_tables_know_the_last_event_and_how_many_there_were(node, story, log):
    event = log.select_notifications(4, 1)[0]
    with node.follower.caught_up():
        assert node.follower.position() == position_of(log, event, 4)
    begun = story.ledger.begin(OPERATOR)
    event = log.select_notifications(5, 1)[0]
    with node.follower.caught_up():
        assert node.follower.position() == position_of(log, event, 5, begun.incarnation)


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_every_page_moves_the_position_by_what_it_applies(node, log, page):
    with node.tables.open() as database:
        assert apply_page(log, database, page) == page
        event = log.select_notifications(page, 1)[0]
        assert Position.stored(database) == position_of(log, event, page)
        assert apply_page(log, database, 10) == 4 - page
        assert apply_page(log, database, 10) == 0
        assert Position.stored(database).count == 4


def test_a_fold_in_memory_moves_the_position_too(log):
    memory, events = Changes(nothing), log.select_notifications(None, 10)
    assert Position.read(memory) == Position()
    apply(events[:3], memory)
    apply(events[3:], memory)
    assert Position.read(memory) == position_of(log, events[3], 4)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_news_are_the_next_events_and_no_more_than_asked_for(log, limit):
    events = log.select_notifications(None, 10)
    assert news_since(log, Position(), limit) == events[:limit]
    assert news_since(log, position_of(log, events[0], 1), limit) == events[1 : 1 + limit]
    assert news_since(log, position_of(log, events[3], 4), limit) == []


@pytest.mark.parametrize(
    "other",
    [
        {"stream": "0" * 32},
        {"stream": "f" * 32},
        {"version": 0},
        {"version": 2},
        {"digest": "0" * 64},
        {"digest": "f" * 64},
        {"position": 3},
        {"position": 5},
    ],
)
def test_tables_of_another_event_have_no_news(log, other):
    position = position_of(log, log.select_notifications(4, 1)[0], 4)
    assert news_since(log, position, 1) == []
    assert news_since(log, replace(position, **other), 1) is None


def test_an_event_that_cannot_be_applied_is_kept_with_its_place_and_its_fault(node, story):
    task = story.create()
    story.complete(task)
    stored = list(node.log.recorder.select_events(task.id))[-1]
    node.log.recorder.insert_events([replace(stored, originator_version=4, topic="task.no")])
    (frozen,) = node.queries.quarantined()
    assert (frozen["stream"], frozen["position"], frozen["topic"]) == (task.id.hex, 5, "task.no")
    assert frozen["error"].startswith("TopicError: ")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_in_mid_transaction_leaves_nothing_and_nothing_open(node, error):
    def fail(database):
        with immediate(database):
            database.conn.execute("INSERT INTO quarantine VALUES ('s', 1, 't', 'e')")
            raise error

    with node.tables.open() as database:
        with pytest.raises(error):
            fail(database)
        assert not database.conn.in_transaction
        with immediate(database):
            assert database.conn.in_transaction
        assert not database.conn.in_transaction
        assert database.execute("SELECT * FROM quarantine").fetchall() == []


def test_a_transaction_has_the_write_lock_from_its_first_moment(node):
    statements = []
    with node.tables.open() as database:
        database.conn.set_trace_callback(statements.append)
        with immediate(database):
            pass
        database.conn.set_trace_callback(None)
    timeouts = ["PRAGMA busy_timeout=0", "PRAGMA busy_timeout=5000"]
    assert statements == [timeouts[0], "BEGIN IMMEDIATE", timeouts[1], "COMMIT"]
