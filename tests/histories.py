"""Histories: what two users may do in any order, with clocks that differ, drawn from a seed."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from domain.refusals import Refusal
from tests.facts import ANN, BEN, NOON

if TYPE_CHECKING:
    from domain.conditions import OwnerId
    from domain.task import Task
    from tests.facts import Story

BATCHES = ("a", "b")
"""Few: many tasks share their conditions, and with them a current file."""


class History:
    """Random doings of Ann and Ben, who keep four tasks each."""

    def __init__(self, story: Story, seed: int) -> None:
        self.story = story
        self.tasks: list[tuple[OwnerId, Task]] = []
        self._random = Random(seed)
        story.limits(unfinished=3, kept=4)
        self._create()

    def happen(self, times: int) -> None:
        """Some doings; what is refused, or cannot be, is nothing done."""
        for _ in range(times):
            self.story.clock.now = NOON + timedelta(seconds=self._random.randrange(-5, 60))
            doing = self._random.choice([self._create, self._create, self._finish, self._delete])
            try:
                doing()
            except Refusal:
                continue

    def _create(self) -> None:
        owner = self._random.choice([ANN, BEN])
        self.tasks.append((owner, self.story.create(owner, self._random.choice(BATCHES))))

    def _finish(self) -> None:
        _, task = self._random.choice(self.tasks[-6:])
        if self._random.random() < 0.2:
            self.story.ledger.fail(self.story.claim(task), "IOTDA.014706", "no source")
        else:
            self.story.complete(task)

    def _delete(self) -> None:
        owner, task = self._random.choice(self.tasks[-6:])
        self.story.delete(task, owner)
