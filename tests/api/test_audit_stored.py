"""The store as an auditor reads it: every byte, whatever it is, and the seal's own leaves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from api.audit.stored import (
    PAGE,
    CannotRead,
    SQLiteEvents,
    Unreadable,
    event_of,
    facts_of,
    leaves,
    open_events,
)
from projections.log import CannotOpen, open_log
from projections.seal import leaf
from tests.facts import Story

STREAM = "0123456789abcdef" * 2
HONEST = (1, STREAM, 1, "task.created", b"{}")
STRANGE = [
    ("stream", None),
    ("stream", STREAM.upper()),
    ("stream", STREAM[:-1]),
    ("stream", STREAM + "0"),
    ("stream", STREAM[:16] + " " + STREAM[16:]),
    ("stream", "g" * 32),
    ("stream", 7),
    ("stream", b"\x01" * 16),
    ("stream", "\udc80"),
    ("version", None),
    ("version", -1),
    ("version", 1.0),
    ("version", "1"),
    ("version", 2**63 - 1),
    ("topic", None),
    ("topic", ""),
    ("topic", "größe"),
    ("topic", "x" * 70_000),
    ("topic", b"task.created"),
    ("topic", "\udcff"),
    ("state", None),
    ("state", "{}"),
    ("state", 7),
    ("state", b""),
]


def row(**changes):
    names = ("position", "stream", "version", "topic", "state")
    return tuple(changes.get(name, value) for name, value in zip(names, HONEST, strict=True))


@pytest.mark.parametrize(("name", "value"), STRANGE)
def test_the_fast_leaves_are_the_seal_s_own_on_strange_values_too(name, value):
    strange = row(**{name: value})
    assert leaves([strange, HONEST, strange]) == [
        leaf(event_of(strange)),
        leaf(StoredEvent(UUID(STREAM), 1, "task.created", b"{}")),
        leaf(event_of(strange)),
    ]
    assert leaves([strange]) != leaves([HONEST])


def test_a_stream_in_capitals_is_not_the_one_that_was_sealed():
    assert event_of(row(stream=STREAM)).originator_id == UUID(STREAM)
    assert event_of(row(stream=STREAM.upper())).originator_id == STREAM.upper()


@given(
    st.one_of(st.uuids().map(lambda each: each.hex), st.text(), st.none()),
    st.one_of(st.integers(-1, 2**63 - 1), st.text(), st.floats()),
    st.one_of(st.text(max_size=80), st.sampled_from(["task.created", "log.begun"]), st.none()),
    st.one_of(st.binary(), st.text(), st.none()),
)
def test_the_fast_leaves_are_the_seal_s_own_on_any_values(stream, version, topic, state):
    strange = row(stream=stream, version=version, topic=topic, state=state)
    assert leaves([strange]) == [leaf(event_of(strange))]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.sqlite"


@pytest.fixture
def story(path):
    with closing(open_log(f"sqlite:///{path}")) as log:
        yield Story(log.recorder)


def read(path):
    with open_events(f"sqlite:///{path}") as events:
        return [row for page in events.pages() for row in page]


def change(path, sql, *values):
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(sql, values)


def test_the_leaves_of_a_file_are_those_that_the_follower_sealed(story, path):
    for _ in range(3):
        story.complete(story.create())
    sealed = [leaf(each) for each in story.recorder.select_notifications(None, 100)]
    assert leaves(read(path)) == sealed


def test_all_pages_are_read_and_none_twice(story, path):
    story.create()
    add = "INSERT INTO stored_events SELECT ?, ?, topic, state FROM stored_events WHERE rowid = 1"
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(add, [(STREAM, version) for version in range(2 * PAGE)])
    found = read(path)
    assert [each[2] for each in found[-2 * PAGE :]] == list(range(2 * PAGE))
    assert len({each[0] for each in found}) == len(found)


def test_positions_below_one_are_events_too(story, path):
    story.create()
    change(path, "UPDATE stored_events SET rowid = -5 WHERE rowid = 1")
    assert read(path)[0][0] == -5


def test_a_text_that_is_no_text_is_read_as_it_is(story, path):
    story.create()
    honest = read(path)
    change(path, "UPDATE stored_events SET topic = CAST(x'ff' AS TEXT) WHERE rowid = 2")
    found = read(path)
    assert found[1][3] == "\udcff"
    assert [found[0], *found[2:]] == [honest[0], *honest[2:]]
    assert leaves(found) == [leaf(event_of(each)) for each in found]


def test_nothing_can_be_written(story, path):
    story.create()
    with open_events(f"sqlite:///{path}") as events:
        database = events._database
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.execute("DELETE FROM stored_events")


def test_what_comes_meanwhile_is_of_another_moment(story, path):
    story.create()
    with open_events(f"sqlite:///{path}") as events:
        before = sum(map(len, events.pages()))
        story.create()
        assert sum(map(len, events.pages())) == before
    assert len(read(path)) > before


@pytest.mark.parametrize("content", [None, b"", b"no database, but long enough to look at" * 40])
def test_what_is_no_event_store_cannot_be_read(path, content):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CannotRead):
        read(path)


def test_another_kind_of_store_cannot_be_opened_yet():
    with pytest.raises(CannotOpen), open_events("mongodb://nowhere"):
        pass


def test_a_damaged_file_is_read_as_far_as_it_goes(story, path):
    for _ in range(30):
        story.complete(story.create())
        story.clock.pass_by(seconds=60)
    change(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    whole = len(read(path))
    story.recorder.datastore.close()
    content = bytearray(path.read_bytes())
    content[-3 * 4096 :] = bytes(3 * 4096)
    path.write_bytes(content)
    seen = []
    with open_events(f"sqlite:///{path}") as events, pytest.raises(Unreadable):
        seen.extend(map(len, events.pages()))
    assert sum(seen) < whole


def test_the_store_tells_of_an_event_a_stream_and_its_gaps():
    with closing(sqlite3.connect(":memory:")) as database:
        events = SQLiteEvents(database)
        assert (events.at(0), events.first("a"), events.gaps(5)) == (None, None, [])
        database.execute(
            "CREATE TABLE stored_events (originator_id TEXT, originator_version INTEGER, "
            "topic TEXT, state BLOB, PRIMARY KEY (originator_id, originator_version))"
        )
        rows = [("a", 1, "t", b"1"), ("b", 2, "t", b"2"), ("c", 1, "t", b"3"), ("c", 3, "t", b"4")]
        database.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?)", rows)
        assert events.at(3) == (4, "c", 3, "t", b"4")
        assert events.at(4) is None
        assert events.first("c") == (3, "c", 1, "t", b"3")
        assert events.last("c") == (4, "c", 3, "t", b"4")
        assert events.gaps(5) == [("b", 2), ("c", 3)]


@pytest.mark.parametrize("state", [b"\xff", b"[1]", b"7", b"", None, 7, "[" * 100_000])
def test_what_says_nothing_that_can_be_read_says_nothing(state):
    assert facts_of(row(state=state)) == {}
    assert facts_of(None) == {}
