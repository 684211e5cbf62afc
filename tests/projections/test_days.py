"""Hours and days that go by, and clocks that go back: what was followed is what is built anew."""

from __future__ import annotations

from random import Random

import pytest

from projections.rebuild import rebuild
from tests.facts import ANN, BEN

STEPS = 120
JUMPS = (1, 600, 3_600, 90_000, 2_700_000)
"""Seconds by which the clock goes on: to the next minutes, hour, day, month."""


@pytest.mark.parametrize("seed", range(10))
def test_hours_and_days_followed_are_those_that_are_built_anew(node, story, seed):
    random, open_tasks = Random(seed), []
    story.limits(unfinished=50)
    for _ in range(STEPS):
        story.clock.pass_by(seconds=random.choice(JUMPS) * random.choice((1, 1, 1, -1)))
        act = random.random()
        if act < 0.5 or not open_tasks:
            open_tasks.append(story.create(random.choice((ANN, BEN)), batch=f"{random.random()}"))
        else:
            _end(story, open_tasks.pop(random.randrange(len(open_tasks))), act)
        if random.random() < 0.3:
            node.queries.activity()
    done = rebuild(node.log.recorder, node.tables)
    assert (done.compared, done.different, done.swapped) == (True, 0, True)
    assert len(node.rows("hours")) > 1
    assert sum(row["tasks"] for row in node.rows("failures")) > 0


def _end(story, task, act: float) -> None:
    if act < 0.7:
        story.complete(task)
    elif act < 0.9:
        story.ledger.fail(story.claim(task), "IOTDA.014706", "Timed out.")
    else:
        story.delete(task, task.owner)
