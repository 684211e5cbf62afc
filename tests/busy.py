"""Busy: a day of exports of two people, such as operators look at; told by a ledger and a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from domain.commands import CompleteTask, CreateTask, DeleteTask, Progress
from domain.conditions import ExportConditions, OwnerId
from domain.fact import Caller
from tests.facts import LEASE, a_file

if TYPE_CHECKING:
    from domain.commands import Claim
    from domain.ledger import Ledger
    from domain.task import Task

NO_BATCH, NO_SOURCE, DIED = "IOTDA.014705", "IOTDA.014706", "IOTDA.014709"


@dataclass
class Busy:
    """What happens, at times that the ledger's clock is set to; `until` is the present."""

    ledger: Ledger
    ann: OwnerId
    ben: OwnerId
    until: datetime
    requests: int = 0

    def day(self) -> None:
        """Twenty-three hours of exports, most of which succeed."""
        chance = Random(7)
        for hour in range(23, 0, -1):
            for number in range(chance.randrange(1, 7)):
                self._at(hours=hour, minutes=-5 * number)
                self.ended(chance.choice([self.ann, self.ben]), chance.random())

    def ended(self, owner: OwnerId, luck: float) -> None:
        """An export that ended, well or badly."""
        task = self.create(owner, f"{int(luck * 1e9):x}")
        claim = self.claim(task, "exporter-0a1b2c3d4e5f")
        if luck > 0.15:
            rows = int(luck * 90_000)
            self.ledger.complete(CompleteTask(claim, a_file(task, claim, rows=rows), rows))
        else:
            code, why = [(NO_BATCH, "There is no such batch task."), (NO_SOURCE, "Timed out.")][
                luck > 0.1
            ]
            self.ledger.fail(claim, code, why)

    def now(self) -> dict[str, Task]:
        """Of each state one, and the tasks by what they are at."""
        self._at(minutes=9)
        tasks = {"failed": self.create(self.ann, "5f433ce0c24389024365fdf1")}
        self.ledger.fail(self.claim(tasks["failed"], "exporter-0a1b2c3d4e5f"), DIED, "Died thrice.")
        self._at(minutes=7)
        tasks["deleted"] = self.create(self.ann, "5f433ce0c24389024365fdf2")
        self.ledger.delete(DeleteTask(self.ann, tasks["deleted"].task_id, self._caller("ann")))
        self._at(minutes=6)
        tasks["running"] = self.create(self.ann, "5f433ce0c24389024365fdf3")
        tasks["silent"] = self.create(self.ben, "5f433ce0c24389024365fdf4")
        tasks["back"] = self.create(self.ann, "5f433ce0c24389024365fdf5")
        tasks["waiting"] = self.create(self.ben, "5f433ce0c24389024365fdf6")
        self._at(minutes=4)
        running = self.claim(tasks["running"], "exporter-9f8e7d6c5b4a")
        silent = self.claim(tasks["silent"], "exporter-112233445566")
        back = self.claim(tasks["back"], "exporter-9f8e7d6c5b4a")
        self._at(minutes=1)
        self.ledger.hand_back(back, "the source did not answer", wait=300.0, fault=True)
        self.ledger.progress(silent, LEASE, Progress(12_000, 65_000, 18, "N" * 128))
        self._at(seconds=2)
        self.ledger.progress(
            running, 3600.0, Progress(412_000, 1_000_000, 41, "Firmware 2.2.0, hall 3")
        )
        self._at()
        return tasks

    def create(self, owner: OwnerId, batch: str) -> Task:
        """Somebody asks for an export."""
        condition = f'{{"task_id":"{batch}"}}'
        conditions = ExportConditions("BatchTask", condition, "xls", "GLOBAL", None)
        caller = self._caller(owner.user_id)
        return self.ledger.create(CreateTask(owner, conditions, None, None, caller))

    def claim(self, task: Task, exporter: str) -> Claim:
        """An exporter begins."""
        version = len(self.ledger.history(task.task_id))
        claim = self.ledger.claim(task.task_id, version, exporter, LEASE, 3)[1]
        assert claim
        return claim

    def _caller(self, user_id: str) -> Caller:
        self.requests += 1
        return Caller(user_id, f"{self.requests:032x}")

    def _at(self, **ago: float) -> None:
        moment = self.until - timedelta(**ago)
        self.ledger.journal.clock = lambda: moment
