"""Tables built anew beside the live ones, compared, swapped."""

from __future__ import annotations

import fcntl
import gc
import os
import sqlite3

import pytest

from domain.refusals import Unavailable
from projections import compare
from projections.checks import RebuildRunning
from projections.position import immediate
from projections.rebuild import Plan, rebuild
from projections.schema import TABLES
from tests.altered import alter
from tests.facts import ANN, BEN, OPERATOR


def files(node):
    """The names of all files of read tables."""
    return {path.name for path in node.tables.folder.glob("read-*.sqlite")}


@pytest.fixture
def history(node, story):
    """A little of everything, and read tables that know nothing of it yet."""
    node.queries.tasks(ANN)
    story.ledger.begin(OPERATOR)
    story.limits(3, 3)
    for owner in (ANN, BEN):
        tasks = [story.create(owner) for _ in range(3)]
        story.complete(tasks[0])
        story.complete(tasks[2])
        story.grant(tasks[0], owner=owner)
        story.claim(tasks[1])
        story.create(owner)
    story.delete(tasks[1], BEN)


def test_a_rebuild_gives_what_following_gave(node, story, history):
    before = {table: node.rows(table) for table in TABLES}
    told = []
    done = rebuild(node.log.recorder, node.tables, progress=lambda *far: told.append(far))
    assert (done.different, done.swapped) == (0, True)
    assert told[-1] == (done.events, 1.0) == (story.head(), 1.0)
    assert done.position == story.head()
    assert {table: node.rows(table) for table in TABLES} == before


def test_a_rebuild_of_an_empty_log_is_a_success(node):
    done = rebuild(node.log.recorder, node.tables)
    assert (done.events, done.rows, done.different) == (0, 0, 0)
    assert node.queries.tasks(ANN).count == 0


def test_a_stale_row_is_removed_and_a_wrong_one_shown(node, history):
    node.queries.tasks(ANN)
    with node.tables.open() as database:
        database.execute("UPDATE quotas SET kept = 99 WHERE user_id = 'ann'")
        database.execute("INSERT INTO users VALUES ('ghost', 'never', 0, NULL, '[]', '[]')")
    done = rebuild(node.log.recorder, node.tables)
    assert done.different == 2
    quota, ghost = done.differences
    assert (quota.table, quota.live["kept"], quota.rebuilt["kept"]) == ("quotas", 99, 3)
    assert (ghost.table, ghost.live["user_id"], ghost.rebuilt) == ("users", "ghost", None)
    assert node.queries.quota(ANN).kept == 3
    assert node.queries.users() == []


def test_comparing_alone_swaps_nothing(node, history):
    node.queries.tasks(ANN)
    current = node.tables.current()
    with node.tables.open() as database:
        database.execute("DELETE FROM quotas")
    done = rebuild(node.log.recorder, node.tables, Plan(swap=False))
    assert (done.different, done.swapped) == (2, False)
    assert node.tables.current() == current
    assert node.rows("quotas") == []
    assert files(node) == {current}


def test_a_swap_keeps_the_former_file_and_open_readers_go_on(node, story, history):
    with node.follower.caught_up() as reader:
        rebuild(node.log.recorder, node.tables)
        assert reader.execute("SELECT count(*) FROM tasks").fetchone()[0] == 5
    assert node.queries.quota(ANN).kept == 3
    assert files(node) == {node.tables.current(), node.tables.former()}


def test_what_happens_during_a_rebuild_is_in_it(node, story, history):
    def meanwhile(events, share):
        if story.ledger.limits().kept == 3:
            story.limits(100, 100)
            story.create(ANN)

    done = rebuild(node.log.recorder, node.tables, progress=meanwhile)
    assert done.position == story.head()
    assert node.queries.quota(ANN).kept == 4


def test_two_rebuilds_at_once_are_refused(node):
    node.queries.tasks(ANN)
    with (node.tables.folder / "rebuild.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RebuildRunning):
            rebuild(node.log.recorder, node.tables)


def test_live_tables_that_lag_by_pages_are_brought_up_before_they_are_compared(
    node, story, history, monkeypatch
):
    monkeypatch.setattr("projections.fold.PAGE", 2)
    monkeypatch.setattr("projections.compare.PAGE", 2)
    done = rebuild(node.log.recorder, node.tables)
    assert (done.different, done.events) == (0, story.head())
    assert node.follower.position().position == story.head()


@pytest.mark.parametrize("step", [2, 3, 10_000])
@pytest.mark.parametrize("lagging", [False, True])
def test_a_log_with_holes_is_rebuilt_to_its_end(node, story, history, monkeypatch, step, lagging):
    monkeypatch.setattr("projections.fold.PAGE", 2)
    monkeypatch.setattr("projections.compare.PAGE", 2)
    alter(
        node.log,
        f"UPDATE stored_events SET rowid = -rowid * {step}",
        "UPDATE stored_events SET rowid = -rowid",
    )
    events = len(story.told())
    if not lagging:
        node.queries.tasks(ANN)
    told = []
    done = rebuild(node.log.recorder, node.tables, progress=lambda *far: told.append(far))
    assert told[-1] == (done.events, 1.0) == (events, 1.0)
    assert done.position == story.head() == events * step
    assert (done.compared, done.different) == (True, 0)
    assert node.follower.position().position == story.head()
    assert node.queries.quota(ANN).kept == 3


def test_a_transaction_that_fails_changes_nothing(node, story):
    node.queries.tasks(ANN)
    with node.tables.open() as database:
        with pytest.raises(ZeroDivisionError), immediate(database):  # noqa: PT012
            database.execute("INSERT INTO users VALUES ('ghost', 'never', 0, NULL, '[]', '[]')")
            raise ZeroDivisionError
        assert database.execute("SELECT count(*) FROM users").fetchone()[0] == 0


def test_what_happens_between_the_fold_and_the_comparison_is_compared_too(node, story, history):
    select = node.log.recorder.select_notifications

    def last_page_of_the_fold(*arguments, **more):
        page = select(*arguments, **more)
        if len(page) == 1:
            node.log.recorder.select_notifications = select
            story.limits(100, 100)
            story.create(ANN)
        return page

    node.log.recorder.select_notifications = last_page_of_the_fold
    done = rebuild(node.log.recorder, node.tables)
    assert (done.different, done.position) == (0, story.head())
    assert node.follower.position().position == story.head()


@pytest.mark.parametrize("damage", [b"", b"no database at all, and long enough to tell" * 99])
def test_damaged_live_tables_are_replaced(node, story, history, damage, caplog):
    before = node.rows("tasks")
    node.tables.close()
    for suffix in ("-wal", "-shm"):
        (node.tables.folder / f"{node.tables.current()}{suffix}").unlink(missing_ok=True)
    (node.tables.folder / node.tables.current()).write_bytes(damage)
    with pytest.raises(Unavailable):
        node.queries.tasks(ANN)
    assert rebuild(node.log.recorder, node.tables).swapped
    assert "damaged" in caplog.text
    assert node.rows("tasks") == before


def test_a_swap_that_fails_leaves_the_live_tables(node, history, monkeypatch):
    before = node.rows("tasks")
    current = node.tables.current()

    def full(name):
        raise OSError("no space left")

    monkeypatch.setattr(node.tables, "point_to", full)
    with pytest.raises(OSError, match="no space"):
        rebuild(node.log.recorder, node.tables)
    assert files(node) == {current}
    assert node.rows("tasks") == before


def test_what_a_killed_rebuild_left_goes_with_the_next_once_it_is_old(node, history):
    node.queries.tasks(ANN)
    (old, database), (young, another) = node.tables.new(), node.tables.new()
    database.conn.close(), another.conn.close()
    os.utime(node.tables.folder / old, (0, 0))
    rebuild(node.log.recorder, node.tables)
    assert files(node) == {young, node.tables.current(), node.tables.former()}


def test_live_tables_that_go_on_while_they_are_compared_are_compared_as_of_one_moment(
    node, story, history, monkeypatch
):
    compared = compare._differences

    def then_they_go_on(table, rebuilt):
        if table == "quotas":
            story.create(BEN)
            node.queries.tasks(BEN)
        return compared(table, rebuilt)

    monkeypatch.setattr(compare, "_differences", then_they_go_on)
    head = story.head()
    done = rebuild(node.log.recorder, node.tables)
    assert (done.different, done.compared, done.position) == (0, True, head)
    assert node.queries.quota(BEN).kept == 3
    assert node.follower.position().position == story.head() > head


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(node, history, enabled):
    seen = []
    was = gc.isenabled()
    gc.enable() if enabled else gc.disable()
    try:
        rebuild(node.log.recorder, node.tables, progress=lambda *_: seen.append(gc.isenabled()))
        assert (set(seen), gc.isenabled()) == ({False}, enabled)
    finally:
        gc.enable() if was else gc.disable()


def test_differences_are_explained_by_the_last_event_that_touched_the_row(node, story, history):
    task = next(task for task in node.queries.tasks(BEN).tasks if task.status == "Success")
    with node.tables.open() as database:
        database.execute("UPDATE tasks SET rows = 99 WHERE task_id = ?", [task.task_id])
        database.execute("DELETE FROM quotas WHERE user_id = 'ann'")
        database.execute("INSERT INTO users VALUES ('ghost', 'never', 0, NULL, '[]', '[]')")
    told = {each.table: each for each in rebuild(node.log.recorder, node.tables).differences}
    completed = told["tasks"].by
    assert completed.topic == "task.completed"
    (event,) = node.log.recorder.select_notifications(completed.position, 1)
    assert event.originator_id.hex == told["tasks"].rebuilt["stream"]
    assert told["quotas"].live is None
    assert told["quotas"].by.topic in {"task.created", "downloads.granted"}
    assert told["users"].by is None


@pytest.mark.parametrize(("rows", "shown"), [(20, 20), (21, 20)])
def test_the_first_twenty_differences_are_shown_and_all_are_counted(node, history, rows, shown):
    with node.tables.open() as database:
        database.conn.executemany(
            "INSERT INTO users VALUES (?, 'never', 0, NULL, '[]', '[]')",
            [(f"ghost{number}",) for number in range(rows)],
        )
    done = rebuild(node.log.recorder, node.tables)
    assert (done.different, len(done.differences)) == (rows, shown)


@pytest.mark.parametrize(("lease", "different"), [(0.1 + 0.2, 0), (0.3, 1)])
def test_numbers_that_differ_in_their_last_digit_alone_differ(node, story, lease, different):
    task = story.create()
    story.ledger.claim(task.task_id, 1, "e1", 0.1 + 0.2, 3)
    node.queries.tasks(ANN)
    with node.tables.open() as database:
        database.execute("UPDATE tasks SET lease = ?", [lease])
    assert rebuild(node.log.recorder, node.tables).different == different


def test_a_disk_that_is_full_while_it_compares_is_no_damage_of_the_live_tables(
    node, story, history, monkeypatch
):
    before = node.tables.current()
    compared = compare._compare

    def full(recorder, rebuilt, poisoned):
        rebuilt.conn.execute("PRAGMA main.max_page_count = 1")
        rebuilt.conn.execute("CREATE TABLE more (text)")
        return compared(recorder, rebuilt, poisoned)

    monkeypatch.setattr(compare, "_compare", full)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        rebuild(node.log.recorder, node.tables)
    assert files(node) == {before} == {node.tables.current()}
