"""The event store on one machine: durable, patient, and fair to a hot owner's writers."""

from __future__ import annotations

import fcntl
import sqlite3

import pytest
from eventsourcing.persistence import OperationalError
from eventsourcing.sqlite import SQLiteApplicationRecorder

from domain.refusals import Unavailable
from projections.log import CannotOpen, open_log
from projections.stores import file_turns
from projections.stores.file_turns import Turns
from projections.stores.sqlite import SQLiteStore, event_file
from tests.facts import ANN, OPERATOR


@pytest.fixture
def events_url(tmp_path):
    """This store alone."""
    return f"sqlite:///{tmp_path}/events.sqlite"


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


def test_a_database_is_no_file_and_its_password_is_not_told():
    with pytest.raises(CannotOpen, match="is no file") as refused:
        event_file("postgresql://u:secret@h/d")
    assert "secret" not in str(refused.value)


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


def test_a_store_that_stays_locked_is_unavailable(node, story, tmp_path):
    node.log.recorder.datastore._busy_seconds = 0.1
    locker = sqlite3.connect(tmp_path / "events.sqlite", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    node.log.close()
    with pytest.raises(Unavailable):
        story.create()
    locker.close()


def test_a_writer_that_another_of_the_process_holds_up_is_unavailable(node):
    node.log.recorder.datastore._busy_seconds = 0.05
    store = node.log.recorder.datastore
    with store._writing, pytest.raises(OperationalError), store.transaction(commit=True):
        pass


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


def test_a_connection_to_a_store_that_was_removed_meanwhile_is_closed(node, tmp_path):
    with (
        pytest.raises(OperationalError),
        node.log.recorder.datastore.get_connection(commit=False) as connection,
    ):
        (tmp_path / "events.sqlite").unlink()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.cursor()


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
