"""The tables before the last rebuild can be put back; nothing else that lies about can."""

from __future__ import annotations

import fcntl

import pytest

from projections.checks import RebuildRunning
from projections.rebuild import UNATTENDED, NothingToUndo, Plan, rebuild, undo
from projections.schema import TABLES
from tests.altered import alter
from tests.facts import ANN, OPERATOR


@pytest.fixture(autouse=True)
def begun(node, story):
    story.ledger.begin(OPERATOR)
    story.create()
    node.queries.tasks(ANN)


def test_the_former_tables_answer_again_and_catch_up(node, story):
    node.queries.tasks(ANN)
    former = node.tables.current()
    rebuild(node.log.recorder, node.tables)
    later = node.tables.current()
    story.create()
    assert undo(node.log.recorder, node.tables).position < story.head()
    assert (node.tables.current(), node.tables.former()) == (former, later)
    assert node.queries.tasks(ANN).count == 2
    undo(node.log.recorder, node.tables)
    assert (node.tables.current(), node.tables.former()) == (later, former)
    assert node.queries.tasks(ANN).count == 2


def test_they_are_kept_until_the_next_rebuild_that_succeeds(node, story):
    node.queries.tasks(ANN)
    first = node.tables.current()
    rebuild(node.log.recorder, node.tables)
    second = node.tables.current()
    rebuild(node.log.recorder, node.tables, Plan(swap=False))
    assert node.tables.former() == first
    rebuild(node.log.recorder, node.tables)
    assert node.tables.former() == second
    kept = {path.name for path in node.tables.folder.glob("read-*.sqlite")}
    assert kept == {second, node.tables.current()}


def test_without_former_tables_there_is_nothing_to_undo(node):
    with pytest.raises(NothingToUndo, match="no former"):
        undo(node.log.recorder, node.tables)


def test_former_tables_whose_file_is_gone_are_none(node):
    rebuild(node.log.recorder, node.tables)
    node.tables.discard(node.tables.former())
    with pytest.raises(NothingToUndo, match="no former"):
        undo(node.log.recorder, node.tables)


def test_former_tables_that_are_damaged_are_refused(node):
    rebuild(node.log.recorder, node.tables)
    node.tables.close()
    name = node.tables.former()
    node.tables.discard(name)
    (node.tables.folder / name).write_bytes(b"no database at all, and long enough to tell" * 99)
    with pytest.raises(NothingToUndo, match="damaged"):
        undo(node.log.recorder, node.tables)


def test_former_tables_of_another_log_are_refused(node, story):
    rebuild(node.log.recorder, node.tables)
    alter(node.log, "DELETE FROM stored_events")
    story.ledger.begin(OPERATOR)
    current = node.tables.current()
    with pytest.raises(NothingToUndo, match="another event log"):
        undo(node.log.recorder, node.tables)
    assert node.tables.current() == current


def test_tables_that_were_not_compared_are_not_kept(node):
    rebuild(node.log.recorder, node.tables)
    rebuild(node.log.recorder, node.tables, UNATTENDED)
    assert node.tables.former() is None
    assert len([*node.tables.folder.glob("read-*.sqlite")]) == 1


def test_nothing_is_undone_while_a_rebuild_runs(node):
    rebuild(node.log.recorder, node.tables)
    with (node.tables.folder / "rebuild.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RebuildRunning):
            undo(node.log.recorder, node.tables)


def test_former_tables_are_those_that_following_made(node):
    before = {table: node.rows(table) for table in TABLES}
    rebuild(node.log.recorder, node.tables)
    undo(node.log.recorder, node.tables)
    assert {table: node.rows(table) for table in TABLES} == before
