"""What must hold before a rebuild is looked at alone, too."""

from __future__ import annotations

import fcntl
import shutil

import pytest
from eventsourcing.persistence import StoredEvent

from projections.checks import NoRoom, check_all, check_room, check_topics
from projections.fold import Poisoned
from projections.rebuild import rebuild
from projections.tables import connect
from tests.altered import alter
from tests.facts import ANN, OPERATOR

NAMES = ["event store", "topics", "room on the disk", "no other rebuild", "the live tables' log"]


def checked(node):
    """What was looked at, and what of it is not well."""
    found = [*check_all(node.log.recorder, node.tables)]
    return [each.name for each in found], {each.name: each.what for each in found if not each.ok}


def test_all_is_well_with_and_without_events_and_tables(node, story):
    assert checked(node) == (NAMES, {})
    assert node.tables.current() is None
    story.create()
    assert checked(node) == (NAMES, {})
    node.queries.tasks(ANN)
    assert checked(node) == (NAMES, {})


def test_an_event_of_an_unknown_kind_is_found_with_its_position(node, story):
    task = story.create()
    node.log.recorder.insert_events([StoredEvent(task.id, 2, "task.unheard_of", b"{}")])
    node.log.recorder.insert_events([StoredEvent(task.id, 3, "task.nor_of_this", b"{}")])
    names, wrong = checked(node)
    assert (names, [*wrong]) == (NAMES, ["topics"])
    assert f"position {story.head() - 1}" in wrong["topics"]
    with pytest.raises(Poisoned, match=f"task.unheard_of of the stream {task.id.hex}"):
        check_topics(node.log.recorder)


def test_an_event_store_that_cannot_be_read_is_all_that_is_told(node, story):
    story.create()
    alter(node.log, "DROP TABLE stored_events")
    names, wrong = checked(node)
    assert names == ["event store"]
    assert wrong["event store"].startswith("cannot be read: ")


@pytest.mark.parametrize(("missing", "enough"), [(0, True), (1, False)])
def test_twice_the_live_tables_must_be_free(node, story, monkeypatch, missing, enough):
    story.create()
    node.queries.tasks(ANN)
    files = [node.tables.folder / (node.tables.current() + suffix) for suffix in ("", "-wal")]
    needed = 2 * sum(file.stat().st_size for file in files)
    usage = shutil.disk_usage(node.tables.folder)._replace(free=needed - missing)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    if enough:
        assert "MB needed" in check_room(node.tables)
        return
    with pytest.raises(NoRoom, match="too little room"):
        check_room(node.tables)
    with pytest.raises(NoRoom):
        rebuild(node.log.recorder, node.tables)
    assert [*checked(node)[1]] == ["room on the disk"]


def test_another_rebuild_is_found(node):
    with (node.tables.folder / "rebuild.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert [*checked(node)[1]] == ["no other rebuild"]


def test_live_tables_of_an_altered_log_are_found(node, story):
    incarnation = story.ledger.begin(OPERATOR).incarnation
    story.create()
    node.queries.tasks(ANN)
    alter(node.log, "DELETE FROM stored_events WHERE rowid = 3")
    wrong = checked(node)[1]
    assert [*wrong] == ["the live tables' log"]
    assert f"--accept-history {incarnation}" in wrong["the live tables' log"]


def test_live_tables_that_are_damaged_are_what_a_rebuild_mends(node, story):
    node.queries.tasks(ANN)
    node.tables.close()
    (node.tables.folder / node.tables.current()).write_bytes(b"no database " * 999)
    assert checked(node) == (NAMES, {})


def test_what_is_looked_at_is_not_changed(node, story):
    story.create()
    node.queries.tasks(ANN)
    story.create()
    with connect(node.tables.folder / node.tables.current()).conn as database:
        before = database.execute("SELECT position FROM position").fetchone()[0]
        checked(node)
        assert database.execute("SELECT position FROM position").fetchone()[0] == before
    database.close()
