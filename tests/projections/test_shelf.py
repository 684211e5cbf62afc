"""An owner's shelf: kept tasks as a page shows them, found without a look at any other."""

from __future__ import annotations

from projections.shelf import earliest, shelf
from tests.facts import ANN, BEN, LEASE, NOON


def ids(tasks):
    """Their ids."""
    return [task.task_id for task in tasks]


def test_pages_go_from_the_newest_to_the_earliest(node, story):
    made = [story.create().task_id for _ in range(5)]
    story.create(BEN)
    follower = node.queries.follower
    first = shelf(follower, ANN, limit=3)
    assert ids(first) == made[:1:-1]
    assert ids(shelf(follower, ANN, limit=3, before=first[-1].task_id)) == made[1::-1]
    assert earliest(follower, ANN) == made[0]


def test_of_a_finished_task_it_tells_how_many_bytes_a_download_gives_now(node, story):
    older, newer, waiting = story.create(), story.create(), story.create(batch="b")
    story.complete(older, size=10)
    story.complete(newer, size=20)
    sizes = {task.task_id: task.size for task in shelf(node.queries.follower, ANN, limit=9)}
    assert sizes == {older.task_id: 20, newer.task_id: 20, waiting.task_id: None}


def test_filters_are_columns_and_none_matches_everything(node, story):
    failed, other = story.create(app_id="a1"), story.create()
    story.ledger.fail(story.claim(failed), "IOTDA.014706", "away")
    follower = node.queries.follower
    assert ids(shelf(follower, ANN, limit=9, status="Failed", app_id=None)) == [failed.task_id]
    assert ids(shelf(follower, ANN, limit=9, app_id="a1")) == [failed.task_id]
    assert ids(shelf(follower, ANN, limit=9)) == [other.task_id, failed.task_id]


def test_without_an_owner_it_is_of_all(node, story):
    mine, bens = story.create(), story.create(BEN)
    assert set(ids(shelf(node.queries.follower, None, limit=9))) == {mine.task_id, bens.task_id}


def test_an_empty_shelf_has_no_earliest(node):
    assert earliest(node.queries.follower, ANN) is None
    assert shelf(node.queries.follower, ANN, limit=9) == []


def test_it_tells_when_a_task_was_last_heard_of(node, story):
    task = story.create()
    (row,) = shelf(node.queries.follower, ANN, limit=1)
    assert row.heard_at == row.created == NOON
    story.clock.pass_by(seconds=LEASE)
    story.claim(task)
    (row,) = shelf(node.queries.follower, ANN, limit=1)
    assert (row.heard_at - row.created).total_seconds() == LEASE


def test_a_page_is_found_by_an_index_and_nothing_is_sorted(node, story):
    story.create()
    follower = node.queries.follower
    with follower.once(), follower.caught_up() as database:
        asked = []
        database.conn.set_trace_callback(asked.append)
        shelf(follower, ANN, limit=20, status="Success", app_id="a1")
        earliest(follower, ANN)
        database.conn.set_trace_callback(None)
        plans = [
            row[3]
            for query in asked
            if "FROM tasks" in query
            for row in database.conn.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
        ]
    assert len(plans) >= 4
    assert [plan for plan in plans if plan.startswith("SCAN") or "TEMP B-TREE" in plan] == []
