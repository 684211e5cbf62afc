"""Two who delete the same task at the same moment."""

from __future__ import annotations

import pytest

from domain.owner import owner_stream
from domain.refusals import NoSuchTask
from tests.facts import ANN


def at_the_next_look_at_the_owner(story, happens):
    """Something comes between what a delete reads first and the owner's tasks."""
    select = story.recorder.select_events

    def look(stream, **selection):
        if stream == owner_stream(ANN):
            story.recorder.select_events = select
            happens()
        return select(stream, **selection)

    story.recorder.select_events = look


def test_a_delete_that_another_delete_overtakes_is_a_repeated_one(story):
    task = story.create()
    at_the_next_look_at_the_owner(story, lambda: story.delete(task))
    story.delete(task)
    assert story.told()[-2:] == ["task.evicted", "owner.released"]
    assert story.told().count("task.evicted") == 1


def test_a_delete_that_the_kept_limit_overtakes_finds_no_task(story):
    story.limits(unfinished=1, kept=1)
    task = story.create()
    story.complete(task)
    at_the_next_look_at_the_owner(story, story.create)
    with pytest.raises(NoSuchTask):
        story.delete(task)
