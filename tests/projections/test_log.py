"""The event store on one machine: durable, patient, and fair to a hot owner's writers."""

from __future__ import annotations

import fcntl
import sqlite3
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError
from eventsourcing.sqlite import SQLiteApplicationRecorder

from domain.refusals import Unavailable
from projections.log import CannotOpen, open_log
from projections.stores import file_turns
from projections.stores import sqlite as sqlite_module
from projections.stores.file_turns import Turns
from projections.stores.sqlite import SQLiteStore, event_file
from tests.facts import ANN, BEN, OPERATOR, Story

if TYPE_CHECKING:
    from domain.conditions import OwnerId


def test_another_kind_of_store_is_refused_by_name():
    with pytest.raises(CannotOpen, match="mysql://x"):
        open_log("mysql://x")


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "events.sqlite").write_bytes(b"not a database, and long enough to tell" * 10)
    with pytest.raises(CannotOpen, match="cannot be opened"):
        open_log(f"sqlite:///{tmp_path}/events.sqlite")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotOpen, match="cannot be opened"):
        open_log(f"sqlite:///{tmp_path}/file/events.sqlite")


def test_the_file_of_a_store_is_told_without_making_it(tmp_path):
    assert event_file(f"sqlite:///{tmp_path}/events.sqlite") == tmp_path / "events.sqlite"
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_store_reads_and_never_writes(node, story):
    story.create()
    store = SQLiteStore(node.log.path, read_only=True)
    recorder = SQLiteApplicationRecorder(store)
    assert recorder.max_notification_id() == 2
    with pytest.raises(OperationalError, match="readonly"):
        recorder.insert_events(recorder.select_notifications(1, 1))
    store.close()


def test_every_commit_is_on_disk(node):
    with node.log.recorder.datastore.get_connection(commit=False) as connection:
        query = connection._sqlite_conn.execute
        assert query("PRAGMA synchronous").fetchone()[0] == 2
        assert query("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_version_can_be_written_once(node, story):
    story.create()
    stored = node.log.recorder.select_notifications(None, 10)
    with pytest.raises(IntegrityError):
        node.log.recorder.insert_events(stored[:1])


def test_a_store_that_stays_locked_is_unavailable(node, story, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_module, "BUSY_SECONDS", 0.1)
    locker = sqlite3.connect(tmp_path / "events.sqlite", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    node.log.close()
    with pytest.raises(Unavailable):
        story.create()
    locker.close()


def test_a_writer_that_another_of_the_process_holds_up_is_unavailable(node, monkeypatch):
    monkeypatch.setattr(sqlite_module, "BUSY_SECONDS", 0.05)
    store = node.log.recorder.datastore
    with store._writing, pytest.raises(OperationalError), store.transaction(commit=True):
        pass


def test_writers_of_one_owner_take_turns(tmp_path):
    inside, most = [], []

    def writer():
        for _ in range(20):
            with Turns(tmp_path)(ANN):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [Thread(target=writer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1


def test_a_turn_that_does_not_come_is_not_waited_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(file_turns, "TURN_SECONDS", 0.02)
    turns = Turns(tmp_path)
    with turns(ANN):
        pass
    (held,) = tmp_path.iterdir()
    with held.open() as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        with turns(ANN):
            pass


def test_the_ledger_takes_the_owners_turn(node):
    taken = []

    class Recorded(Turns):
        def __call__(self, owner: OwnerId):
            taken.append(owner)
            return super().__call__(owner)

    story = Story(node.log.recorder)
    story.journal._turns = Recorded(node.log.turns._folder)
    story.create()
    assert taken == [ANN]


def test_a_failed_write_gives_its_lock_back_at_once(node, tmp_path):
    error = None
    try:
        with node.log.recorder.datastore.transaction(commit=True) as cursor:
            cursor.execute("INSERT INTO stored_events VALUES ('s', 1, 't', x'00')")
            cursor.execute("SELECT * FROM stored_events")
            raise ZeroDivisionError
    except ZeroDivisionError as kept:
        error = kept
    other = sqlite3.connect(tmp_path / "events.sqlite", timeout=0)
    other.execute("BEGIN IMMEDIATE")
    other.close()
    assert error
    assert node.log.recorder.max_notification_id() is None


def test_a_turn_that_cannot_be_had_refuses_nobody(tmp_path):
    turns = Turns(tmp_path / "turns")
    (tmp_path / "turns").rmdir()
    with turns(ANN):
        pass


def test_a_store_that_is_removed_under_a_running_service_is_unavailable(node, story, tmp_path):
    story.create()
    for path in tmp_path.glob("events.sqlite*"):
        if path.is_file():
            path.unlink()
    for ask in (story.create, lambda: node.queries.tasks(ANN)):
        with pytest.raises(Unavailable):
            ask()
    assert not (tmp_path / "events.sqlite").exists()


def test_a_store_that_another_takes_the_place_of_acknowledges_nothing(node, story, tmp_path):
    story.ledger.begin(OPERATOR)
    story.create()
    assert node.queries.tasks(ANN).count == 1
    other = open_log(f"sqlite:///{tmp_path}/other.sqlite")
    insert = node.log.recorder._insert_events

    def then_it_is_replaced(*arguments, **more):
        done = insert(*arguments, **more)
        (tmp_path / "other.sqlite").replace(tmp_path / "events.sqlite")
        node.log.recorder._insert_events = insert
        return done

    node.log.recorder._insert_events = then_it_is_replaced
    with pytest.raises(Unavailable):
        story.create()
    assert node.log.recorder.select_notifications(None, 10) == []
    other.close()


def test_the_store_is_its_owners_alone(tmp_path):
    open_log(f"sqlite:///{tmp_path}/events.sqlite").close()
    assert (tmp_path / "events.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_store_replaced_between_two_questions_is_read_anew(node, story, tmp_path):
    story.create()
    other = open_log(f"sqlite:///{tmp_path}/other.sqlite")
    other.close()
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"events.sqlite{suffix}").unlink()
    (tmp_path / "other.sqlite").replace(tmp_path / "events.sqlite")
    assert node.log.recorder.select_notifications(None, 10) == []


@pytest.mark.parametrize("start", [None, 0, 1, 3, 7, 8])
@pytest.mark.parametrize("limit", [0, 1, 3, 100])
@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("more", [{}, {"stop": 4}, {"topics": ["task.created"]}])
def test_the_log_is_read_as_the_librarys_recorder_reads_it(
    node, story, start, limit, inclusive, more
):
    for owner in (ANN, BEN, ANN):
        story.claim(story.create(owner))
    stream = "7" * 32
    insert = f"INSERT INTO stored_events VALUES ('{stream}', 1, 'task.created', 'text')"
    with node.log.recorder.datastore.transaction(commit=True) as cursor:
        cursor.execute("DELETE FROM stored_events WHERE rowid = 2")
        cursor.execute(insert)
    library = SQLiteApplicationRecorder(node.log.recorder.datastore)
    asked = {"inclusive_of_start": inclusive, **more}
    ours = node.log.recorder.select_notifications(start, limit, **asked)
    theirs = library.select_notifications(start, limit, **asked)
    names = ("id", "originator_id", "originator_version", "topic", "state")
    assert [[getattr(event, name) for name in names] for event in ours] == [
        [getattr(event, name) for name in names] for event in theirs
    ]


def test_every_topic_is_told_with_its_first_position(node, story):
    assert node.log.recorder.topics() == {}
    for owner in (ANN, BEN):
        story.create(owner)
    assert node.log.recorder.topics() == {"owner.admitted": 1, "task.created": 2}
