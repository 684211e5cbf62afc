"""A rebuild that was killed is gone on with, where what it left is good for it."""

from __future__ import annotations

import pytest
from eventsourcing.persistence import StoredEvent

from projections import fold, tables
from projections.fold import Poisoned
from projections.rebuild import Plan, rebuild
from projections.schema import TABLES
from projections.tables import ReadTables, connect
from tests.altered import alter
from tests.facts import ANN, BEN, OPERATOR


class Killed(BaseException):
    """The process is gone: nothing is cleaned up after it."""


@pytest.fixture
def history(node, story):
    """Tasks of two owners; pages of two events, written every four."""
    story.ledger.begin(OPERATOR)
    for owner in (ANN, BEN):
        story.complete(story.create(owner))
        story.claim(story.create(owner))
    node.queries.tasks(ANN)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(fold, "PAGE", 2)
    monkeypatch.setattr(fold, "WRITTEN_EVERY", 4)


@pytest.fixture
def kill(node, monkeypatch):
    """Kills a rebuild after so many events."""

    def kill(events, plan=Plan()):  # noqa: B008
        def die(far, share):
            if far >= events:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(ReadTables, "abandon", lambda tables: None)
            with pytest.raises(Killed):
                rebuild(node.log.recorder, node.tables, plan, die)
        return node.tables.unfinished()

    return kill


def files(node):
    """The names of all files of read tables."""
    return {path.name for path in node.tables.folder.glob("read-*.sqlite")}


@pytest.mark.parametrize(("events", "resumed"), [(2, 0), (4, 0), (6, 4), (8, 4), (10, 8), (15, 12)])
def test_it_goes_on_from_what_was_written_last(node, story, history, kill, events, resumed):
    assert story.head() == 15
    before = {table: node.rows(table) for table in TABLES}
    left = kill(events)
    current = node.tables.current()
    told = []
    done = rebuild(node.log.recorder, node.tables, progress=lambda *far: told.append(far))
    assert (done.resumed, done.events, done.different, done.swapped) == (resumed, 15, 0, True)
    assert told[0][0] == resumed + 2
    assert (node.tables.current() == left) is bool(resumed)
    assert files(node) == {current, node.tables.current()}
    assert {table: node.rows(table) for table in TABLES} == before
    assert node.tables.unfinished() is None


def test_what_it_went_on_with_has_every_index(node, history, kill):
    kill(6)
    rebuild(node.log.recorder, node.tables)
    with node.tables.open() as built:
        made = {name: sorted(each.name for each in built[name].indexes) for name in TABLES}
    _, database = node.tables.new()
    assert made == {name: sorted(each.name for each in database[name].indexes) for name in TABLES}
    database.conn.close()


def test_one_that_had_caught_up_is_gone_on_with_too(node, story, history, kill):
    kill(15)
    story.create(BEN)
    done = rebuild(node.log.recorder, node.tables)
    assert (done.events, done.different) == (17, 0)


def start_the_machine_anew(node, story, left, monkeypatch):
    monkeypatch.setattr(tables, "_boot", lambda: "another")


def know_no_start_of_the_machine(node, story, left, monkeypatch):
    monkeypatch.setattr(tables, "_BOOT", node.tables.folder / "nothing")


def lose_it(node, story, left, monkeypatch):
    node.tables.discard(left)


def damage_it(node, story, left, monkeypatch):
    node.tables.discard(left)
    (node.tables.folder / left).write_bytes(b"no database at all, and long enough to tell" * 99)


def cut_it(node, story, left, monkeypatch):
    node.tables.discard(left)
    (node.tables.folder / left).touch()


def restore_the_log(node, story, left, monkeypatch):
    alter(node.log, "DELETE FROM stored_events")
    story.ledger.begin(OPERATOR)


@pytest.mark.parametrize(
    "happens",
    [
        start_the_machine_anew,
        know_no_start_of_the_machine,
        lose_it,
        damage_it,
        cut_it,
        restore_the_log,
    ],
)
def test_it_starts_over_where_what_was_left_is_of_no_use(
    node, story, history, kill, monkeypatch, happens
):
    left = kill(10)
    happens(node, story, left, monkeypatch)
    done = rebuild(node.log.recorder, node.tables)
    assert (done.resumed, done.events, done.swapped) == (0, len(story.told()), True)
    assert left not in files(node)
    assert files(node) == {node.tables.current(), node.tables.former()} - {None}


def test_it_says_that_it_goes_on_or_starts_over(node, history, kill, caplog, monkeypatch):
    kill(6)
    rebuild(node.log.recorder, node.tables)
    assert "after 4 events" in caplog.text
    kill(2)
    rebuild(node.log.recorder, node.tables)
    assert "starting over" in caplog.text


def test_what_was_frozen_for_one_plan_is_no_start_for_another(node, story, history, kill):
    poison = StoredEvent(story.create().id, 2, "task.unheard_of", b"{}")
    node.log.recorder.insert_events([poison])
    story.limits(9, 9)
    story.create()
    plan = Plan(quarantine=True, accept_quarantined=1)
    kill(18, plan)
    with pytest.raises(Poisoned):
        rebuild(node.log.recorder, node.tables)
    kill(18, plan)
    done = rebuild(node.log.recorder, node.tables, plan)
    assert (done.resumed, done.swapped, len(done.quarantined)) == (16, True, 1)


def test_what_is_current_already_is_not_built_upon(node, history, monkeypatch):
    """Killed between the swap and the removal of the pointer."""
    with monkeypatch.context() as patched:
        patched.setattr(ReadTables, "abandon", lambda tables: None)
        patched.setattr(node.tables._pointers, "remove", lambda pointer: None)
        rebuild(node.log.recorder, node.tables)
    current = node.tables.current()
    assert node.tables.unfinished() is None
    rebuild(node.log.recorder, node.tables)
    assert node.tables.former() == current
    with connect(node.tables.folder / current).conn as database:
        assert database.execute("SELECT count(*) FROM position").fetchone()[0] == 1
    database.close()
