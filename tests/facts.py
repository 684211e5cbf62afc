"""Given these events, when this command, then those events: the words that domain tests use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from domain.commands import Claim, CompleteTask, CreateTask, DeleteTask, GrantDownload, SetLimits
from domain.conditions import ExportConditions, File, OwnerId
from domain.fact import Caller
from domain.journal import Journal
from domain.ledger import Ledger
from domain.stored import event_mapper

if TYPE_CHECKING:
    from eventsourcing.persistence import ApplicationRecorder

    from domain.fact import Fact
    from domain.task import Task

ANN = OwnerId("p1", "ann")
BEN = OwnerId("p1", "ben")
BATCH = "5f433ce0c24389024365fdfa"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OPERATOR = Caller("system", "0" * 32)
LEASE = 60.0


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **duration: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**duration)


class Story:
    """A ledger with fixed time and chance, and words to tell what happens."""

    def __init__(self, recorder: ApplicationRecorder, seed: int = 1) -> None:
        self.recorder = recorder
        self.clock = Clock()
        self.watch = 0.0
        self.requests = 0
        self.journal = Journal(
            recorder, clock=self.clock, chance=Random(seed), pause=lambda seconds: None
        )
        self.ledger = Ledger(self.journal, watch=lambda: self.watch)

    def caller(self, owner: OwnerId = ANN) -> Caller:
        """A person's request, each with its own id."""
        self.requests += 1
        return Caller(owner.user_id, f"r{self.requests}", "AK", None)

    def creating(self, owner: OwnerId = ANN, batch: str = BATCH, **changes: Any) -> CreateTask:
        """A create of all of a batch task's details."""
        conditions = {
            "resource_type": "BatchTask",
            "resource_condition": f'{{"task_id":"{batch}"}}',
            "export_format": "xls",
            "app_type": "GLOBAL",
            "scope": None,
        }
        of_task = {k: changes.pop(k) for k in ("app_id", "instance_id") if k in changes}
        of_task = {"app_id": None, "instance_id": None, **of_task}
        conditions = ExportConditions(**{**conditions, **changes})
        return CreateTask(owner, conditions, caller=self.caller(owner), **of_task)

    def create(self, owner: OwnerId = ANN, batch: str = BATCH, **changes: Any) -> Task:
        """Creates a task."""
        return self.ledger.create(self.creating(owner, batch, **changes))

    def delete(self, task: Task, owner: OwnerId = ANN) -> None:
        """Deletes a task."""
        self.ledger.delete(DeleteTask(owner, task.task_id, self.caller(owner)))

    def claim(self, task: Task, exporter: str = "e1", crashes_allowed: int = 3) -> Claim | None:
        """An exporter takes a task as it stands."""
        version = len(self.ledger.history(task.task_id))
        return self.ledger.claim(task.task_id, version, exporter, LEASE, crashes_allowed)[1]

    def complete(self, task: Task, exporter: str = "e1", **changes: Any) -> File:
        """An exporter takes a task and completes it."""
        claim = self.claim(task, exporter)
        assert claim
        file = a_file(task, claim, **changes)
        self.ledger.complete(CompleteTask(claim, file, file.rows))
        return file

    def grant(self, task: Task, etag: str = "e", owner: OwnerId = ANN) -> None:
        """The owner downloads a task's file."""
        command = GrantDownload(owner, task.task_id, "key", etag, self.caller(owner))
        self.ledger.grant_download(command)

    def limits(self, unfinished: int = 5, kept: int = 50, interval: float = 30.0) -> None:
        """An operator sets the limits."""
        self.ledger.set_limits(SetLimits(unfinished, kept, interval, OPERATOR))

    def events(self, start: int | None = None) -> list[Fact]:
        """The whole log, or what came after a position."""
        mapper = event_mapper()
        stored = self.recorder.select_notifications(start, 100_000, inclusive_of_start=False)
        return [mapper.to_domain_event(each) for each in stored]

    def told(self, start: int | None = None) -> list[str]:
        """The log as topics alone."""
        return [event.TOPIC for event in self.events(start)]

    def head(self) -> int:
        """The position of the last event."""
        return self.recorder.max_notification_id() or 0


def a_file(task: Task, claim: Claim, **changes: Any) -> File:
    """A file that an attempt left."""
    fields = {
        "task_id": task.task_id,
        "key": f"{task.task_id}/{claim.attempt}-00.xls",
        "size": 5632,
        "sha256": "ab" * 32,
        "rows": 10,
        "sheets": 1,
        "repaired": 0,
        "complete": True,
        "data_as_of": "2026-11-24T12:00:00.000Z",
    }
    return File(**{**fields, **changes})
