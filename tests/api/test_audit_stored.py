"""The store as an auditor reads it: every byte, whatever it is, and the seal's own leaves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st
from psycopg.errors import ReadOnlySqlTransaction

from api.access.vault import Vault
from api.audit.log import Log
from api.audit.stored import (
    PAGE,
    CannotRead,
    NothingStored,
    SQLiteEvents,
    Unreadable,
    event_of,
    facts_of,
    leaves,
    open_events,
)
from projections.log import CannotOpen, open_log
from projections.seal import leaf
from tests.facts import OPERATOR, Story
from tests.household import SECRET_KEY
from tests.meddling import alter

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


@pytest.fixture
def any_story(events_url):
    with closing(open_log(events_url)) as log:
        yield Story(log.recorder)


def read_from(url):
    with open_events(url) as events:
        return [row for page in events.pages() for row in page]


def test_whatever_the_store_the_rows_are_the_same_and_the_leaves_are_the_seal_s(
    any_story, events_url
):
    for _ in range(3):
        any_story.complete(any_story.create())
    stored = any_story.recorder.select_notifications(None, 100)
    found = read_from(events_url)
    assert leaves(found) == list(map(leaf, stored))
    assert found == [
        (at.id, at.originator_id.hex, at.originator_version, at.topic, at.state) for at in stored
    ]
    assert {tuple(map(type, each)) for each in found} == {(int, str, int, str, bytes)}


def test_the_same_history_has_the_same_root_on_both_stores(tmp_path, database):
    roots, rows = [], []
    for url in (f"sqlite:///{tmp_path}/events.sqlite", database.fresh()):
        with closing(open_log(url)) as log:
            story = Story(log.recorder)
            story.ledger.begin(OPERATOR)
            for _ in range(5):
                story.complete(story.create())
                story.clock.pass_by(seconds=60)
        with open_events(url) as events:
            opened = Log(events)
        roots.append((opened.count, opened.leaves.root(), opened.lineage.current))
        rows.append(read_from(url))
    assert roots[0] == roots[1]
    assert rows[0] == rows[1]
    assert roots[0][0] > 10


def test_numbers_that_conflicts_spent_are_no_ranks(any_story, events_url):
    alter_numbers = "UPDATE stored_events SET rowid = rowid * 10"
    any_story.create()
    alter(events_url, alter_numbers)
    any_story.clock.pass_by(seconds=1)
    first, second = read_from(events_url)
    assert (first[0], second[0]) == (10, 20)
    with open_events(events_url) as events:
        assert (events.at(0), events.at(1), events.at(2)) == (first, second, None)
        assert events.count() == 2


def test_the_vault_is_read_with_the_events_and_none_is_no_error(any_story, events_url):
    any_story.create()
    with open_events(events_url) as events:
        assert events.beside("people") == []
        assert events.count() == 2
    with closing(open_log(events_url)) as log:
        vault = Vault(log, SECRET_KEY)
        vault.claim_name("b" * 32, "Ben")
        vault.claim_name("a" * 32, "Ann")
        with open_events(events_url) as events:
            rows = events.beside("people")
            vault.forget("b" * 32)
            assert events.beside("people") == rows
    assert [each[0] for each in rows] == ["a" * 32, "b" * 32]
    assert {tuple(map(type, each)) for each in rows} == {(str, bytes, bytes, bytes)}


def test_what_comes_meanwhile_is_of_another_moment_in_any_store(any_story, events_url):
    any_story.create()
    with open_events(events_url) as events:
        before = events.count()
        any_story.create()
        assert events.count() == sum(map(len, events.pages())) == before
    assert len(read_from(events_url)) > before


# In a database


@pytest.fixture
def url(database):
    return database.fresh()


def test_a_database_without_events_says_so_and_nothing_is_made_in_it(url):
    with pytest.raises(NothingStored, match="no event store"):
        read_from(url)
    with pytest.raises(NothingStored):
        read_from(url)


def test_in_a_database_nothing_can_be_written(url):
    with closing(open_log(url)):
        pass
    with open_events(url) as events, pytest.raises(ReadOnlySqlTransaction):
        events._connection.execute("DELETE FROM stored_events")


def test_more_than_a_page_is_read_from_a_database_and_damage_tells_of_streams(url):
    with closing(open_log(url)):
        pass
    add = (
        "INSERT INTO stored_events (originator_id, originator_version, topic, state) SELECT "
        f"'{STREAM}'::uuid, number, 't', ''::bytea FROM generate_series(1, {2 * PAGE + 1}) number"
    )
    alter(url, add, f"DELETE FROM stored_events WHERE originator_version = {PAGE}")
    with open_events(url) as events:
        pages = list(events.pages())
        assert [len(page) for page in pages] == [PAGE, PAGE]
        assert events.gaps(5) == [(STREAM, 2 * PAGE + 1)]
        assert events.first(STREAM)[2] == 1
        assert events.last(STREAM)[2] == 2 * PAGE + 1
        assert events.first("no stream") is None
        assert events.last(None) is None
        assert events.at(-1) is None, "what cannot be asked is not there"
        assert events.count() == 2 * PAGE, "and the moment is not lost"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:geheim@127.0.0.1:1/log",
        "postgresql://ann:gehe%zzim@127.0.0.1/log",
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(url):
    with pytest.raises(CannotRead) as refused, open_events(url):
        pass
    assert "ann" in str(refused.value)
    assert "gehe" not in str(refused.value)


def test_a_table_of_another_kind_cannot_be_read(url):
    alter(url, "CREATE TABLE stored_events (x int)")
    with pytest.raises(CannotRead):
        read_from(url)
    with open_events(url) as events:
        assert (events.at(0), events.gaps(1), events.first(STREAM)) == (None, [], None)


# In a file


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
