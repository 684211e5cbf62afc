"""Once: that a create whose answer was lost was done at most once, and a refused one not at all."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.torture.records import Exchange
    from tests.torture.story import Story


def doubled(exchanges: list[Exchange], story: Story) -> Iterator[str]:
    """Tasks that nobody asked for; that one request made two of them, the judge has seen."""
    creates = [each for each in exchanges if each.kind == "create"]
    yield from (
        f"the create {each.request_id} was refused with {each.status}, and done"
        for each in creates
        if each.request_id in story.judge.requests and each.status not in (201, 503)
    )
    answered = {each.request_id for each in exchanges}
    unanswered = Counter((each.owner.key, each.batch) for each in creates if each.status is None)
    unclaimed = Counter(
        (task.owner, json.loads(str(task.conditions[3]))["task_id"])
        for task in story.judge.tasks.values()
        if task.request_id not in answered
    )
    for (owner, batch), times in (unclaimed - unanswered).items():
        yield f"{times} tasks more of {owner} and the batch task {batch} than were asked for"
