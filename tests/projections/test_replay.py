"""A replay is what the read tables were, made of the events alone."""

from __future__ import annotations

import pytest

from domain.conditions import OwnerId
from projections import replay as module
from projections.follower import LogAltered
from projections.replay import Replay
from projections.schema import TABLES
from tests.altered import alter
from tests.histories import History


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("page", [2, 5000])
def test_it_holds_at_every_position_what_the_tables_held(node, story, monkeypatch, seed, page):
    monkeypatch.setattr(module, "PAGE", page)
    replay, history = Replay(node.log.recorder), History(story, seed)
    for _ in range(15):
        history.happen(2)
        replay.advance(story.head())
        for name in TABLES:
            stored = node.rows(name)
            assert sorted(replay.rows(name).values(), key=str) == sorted(stored, key=str), name
        assert replay.tasks() == node.queries.all_tasks()
        for quota in replay.quotas():
            assert quota == node.queries.quota(OwnerId(quota.project_id, quota.user_id))
        for task in replay.tasks():
            current = node.queries.current_file(task.conditions)
            assert replay.download(task) == (current if task.status == "Success" else None)


def test_it_goes_to_a_position_and_on_to_the_head(node, story):
    tasks = [story.create(), story.create()]
    replay = Replay(node.log.recorder)
    for position, count in ((0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (99, 2)):
        replay.advance(position)
        assert replay.position.position == min(position, 4)
        assert len(replay.tasks()) == count
    story.delete(tasks[0])
    replay.advance()
    assert [task.task_id for task in replay.tasks()] == [tasks[1].task_id]


def test_it_stops_where_what_it_has_read_is_there_no_more(node, story):
    story.create(), story.create()
    replay = Replay(node.log.recorder)
    replay.advance(4)
    alter(node.log, "DELETE FROM stored_events WHERE rowid = 4")
    with pytest.raises(LogAltered):
        replay.advance()


def test_files_that_are_current_are_told_by_their_keys(node, story):
    old, new, other = (story.create(batch=batch) for batch in ("a", "a", "b"))
    keys = [story.complete(task).key for task in (old, new, other)]
    replay = Replay(node.log.recorder)
    replay.advance()
    assert set(replay.current_files()) == set(keys[1:])
    (first, second, third) = replay.tasks()
    assert [replay.download(each).key for each in (first, second, third)] == [
        keys[2], keys[1], keys[1],
    ]  # fmt: skip
