"""Task: one export, from the asking to its end."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, ClassVar, Literal

from domain.codes import DIED_TOO_OFTEN
from domain.commands import Claim, CreateTask, Progress
from domain.conditions import ExportConditions, File, OwnerId
from domain.fact import Aggregate, stream_id, values_of
from domain.refusals import ClaimLost, NotFailed, TaskOver

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.commands import CompleteTask
    from domain.fact import Caller

Status = Literal["Processing", "Success", "Failed"]


def task_stream(task_id: str) -> UUID:
    """The id of a task's stream: a URL finds it without a table."""
    return stream_id("task", task_id)


class Task(Aggregate):
    """Created, claimed and worked on by attempts, ended once, removed once."""

    # Events: stored under their topics for ever; a changed class needs an upcaster.

    class Event(Aggregate.Event):
        """Something that happened to the task."""

    class Created(Event):
        """It was asked for and admitted.

        Fields:
            task_id: the export task.
            project_id: the project in which it was asked for.
            user_id: whose it is.
            resource_type: what is exported: `BatchTask`.
            resource_condition: which one, as JSON text with sorted keys and no spaces.
            export_format: `xls`.
            app_type: `GLOBAL`, or `APP`: the result is limited to `scope`.
            scope: the app that the result is limited to; null with `GLOBAL`.
            app_id: the app as it was sent, if one was.
            instance_id: the header Instance-Id as it was sent, if it was.
            retries: the failed task that an operator retried by it; only there if one did.
        """

        TOPIC: ClassVar[str] = "task.created"
        OPTIONAL: ClassVar[tuple[str, ...]] = (*Aggregate.Event.OPTIONAL, "retries")
        task_id: str
        project_id: str
        user_id: str
        resource_type: str
        resource_condition: str
        export_format: str
        app_type: str
        scope: str | None
        app_id: str | None
        instance_id: str | None
        retries: str | None = field(default=None, kw_only=True)

    class Progressed(Event):
        """An attempt claimed it, went on, or handed it back.

        Fields:
            attempt: which try this is, from 1.
            exporter: who works on it: a name that its process drew when it began.
            lease: how many seconds of silence mean that the exporter is gone.
            rows: rows exported by this attempt so far.
            total: how many the source says there are; null until it was asked.
            progress: 1 to 99.
            released: was it handed back?
            reason: why it was handed back, if it was.
            wait: seconds for which, handed back, it is not to be taken up.
            crashes: leases lost so far.
            faults: hand-backs so far for a passing fault of source or result store.
            batch_name: what is exported, by its name; only there once the source has told it.
        """

        TOPIC: ClassVar[str] = "task.progressed"
        OPTIONAL: ClassVar[tuple[str, ...]] = (*Aggregate.Event.OPTIONAL, "batch_name")
        attempt: int
        exporter: str
        lease: float
        rows: int
        total: int | None
        progress: int
        released: bool
        reason: str | None
        wait: float
        crashes: int
        faults: int
        batch_name: str | None = field(default=None, kw_only=True)

    class Completed(Event):
        """Its file is safe.

        Fields:
            attempt: which try it was.
            exporter: who made the file.
            file: the file's key in the result store.
            size: its bytes.
            sha256: the SHA-256 of its bytes, in hexadecimal.
            rows: rows of details in it.
            total: what the source counted after the last row.
            sheets: sheets of details in it.
            repaired: cells that were cut or cleaned.
            complete: had the batch task itself finished when it was read?
            data_as_of: when it was read, in UTC.
            batch_name: what is exported, by its name; only there where the source has told one.
        """

        TOPIC: ClassVar[str] = "task.completed"
        OPTIONAL: ClassVar[tuple[str, ...]] = (*Aggregate.Event.OPTIONAL, "batch_name")
        attempt: int
        exporter: str
        file: str
        size: int
        sha256: str
        rows: int
        total: int
        sheets: int
        repaired: int
        complete: bool
        data_as_of: str
        batch_name: str | None = field(default=None, kw_only=True)

    class Failed(Event):
        """It ended without a file.

        Fields:
            attempt: which try it was.
            exporter: whose; empty where nobody held it.
            code: why, of the table of error codes.
            message: why, in words for its owner.
        """

        TOPIC: ClassVar[str] = "task.failed"
        attempt: int
        exporter: str
        code: str
        message: str

    class Evicted(Event):
        """It was removed: by the limit of tasks kept, or deleted.

        Fields:
            reason: `kept_limit` or `deleted`.
            by_task: the newer task that needed the place; null where it was deleted.
        """

        TOPIC: ClassVar[str] = "task.evicted"
        reason: str
        by_task: str | None

    # Decisions: they may refuse.

    def create(self, task_id: str, command: CreateTask, now: datetime) -> None:
        """Comes into being; the owner has admitted it."""
        self.record(
            self.Created,
            command.caller,
            now,
            task_id=task_id,
            app_id=command.app_id,
            instance_id=command.instance_id,
            retries=command.retries,
            **command.owner._asdict(),
            **values_of(command.conditions),
        )

    def take(
        self, exporter: str, lease: float, crashes_allowed: int, caller: Caller, now: datetime
    ) -> Claim | None:
        """An exporter begins an attempt; None where the task failed for dying too often instead.

        Whoever still held it has lost its lease: the caller has watched it for that long.

        Raises:
            TaskOver: it has ended or is gone.
        """
        self._must_be_unfinished()
        crashes = self.crashes + (1 if self.held else 0)
        if crashes >= crashes_allowed:
            message = f"Its exporters died {crashes} times."
            self._fail(DIED_TOO_OFTEN, message, caller, now)
            return None
        claim = Claim(self.task_id, self.attempt + 1, exporter)
        nothing_yet = Progress(total=self.total, batch_name=self.batch_name)
        self._progress(claim, lease, nothing_yet, crashes, caller, now)
        return claim

    def progress(
        self, claim: Claim, lease: float, progress: Progress, caller: Caller, now: datetime
    ) -> None:
        """The attempt goes on; its lease counts anew.

        Raises:
            TaskOver: it has ended, is gone, or (ClaimLost) is in other hands.
        """
        self._must_be_held_by(claim)
        self._progress(claim, lease, progress, self.crashes, caller, now)

    def hand_back(
        self, claim: Claim, reason: str, wait: float, fault: bool, caller: Caller, now: datetime
    ) -> None:
        """The attempt ends without a result and without blame; another follows after `wait` s.

        Raises:
            TaskOver: it has ended, is gone, or (ClaimLost) is in other hands.
        """
        self._must_be_held_by(claim)
        self.record(
            self.Progressed,
            caller,
            now,
            attempt=claim.attempt,
            exporter=claim.exporter,
            lease=0.0,
            rows=self.rows,
            total=self.total,
            progress=self.percent,
            released=True,
            reason=reason,
            wait=wait,
            crashes=self.crashes,
            faults=self.faults + 1 if fault else self.faults,
            batch_name=self.batch_name,
        )

    def complete(self, command: CompleteTask, caller: Caller, now: datetime) -> None:
        """The attempt's file is the task's result.

        Raises:
            TaskOver: it has ended, is gone, or (ClaimLost) is in other hands.
        """
        claim, file = command.claim, command.file
        self._must_be_held_by(claim)
        self.record(
            self.Completed,
            caller,
            now,
            attempt=claim.attempt,
            exporter=claim.exporter,
            file=file.key,
            size=file.size,
            sha256=file.sha256,
            rows=file.rows,
            total=command.total,
            sheets=file.sheets,
            repaired=file.repaired,
            complete=file.complete,
            data_as_of=file.data_as_of,
            batch_name=command.batch_name,
        )

    def fail(self, claim: Claim, code: str, message: str, caller: Caller, now: datetime) -> None:
        """The attempt found that there can be no result.

        Raises:
            TaskOver: it has ended, is gone, or (ClaimLost) is in other hands.
        """
        self._must_be_held_by(claim)
        self._fail(code, message, caller, now)

    def evict(self, reason: str, by_task: str | None, caller: Caller, now: datetime) -> None:
        """It is removed, whatever its state.

        Raises:
            TaskOver: it is gone already.
        """
        if self.evicted is not None:
            raise TaskOver("Evicted")
        self.record(self.Evicted, caller, now, reason=reason, by_task=by_task)

    def again(self, caller: Caller) -> CreateTask:
        """What to ask for so that it is exported again.

        Raises:
            NotFailed: it did not fail, or is gone.
        """
        if self.evicted is not None:
            raise NotFailed("removed")
        if self.failure is None:
            raise NotFailed(self.status)
        return CreateTask(
            self.owner, self.conditions, self.app_id, self.instance_id, caller, self.task_id
        )

    @property
    def unfinished(self) -> bool:
        """Does it hold one of its owner's slots?"""
        return self.status == "Processing" and self.evicted is None

    def _must_be_unfinished(self) -> None:
        if not self.unfinished:
            raise TaskOver(self.status if self.evicted is None else "Evicted")

    def _must_be_held_by(self, claim: Claim) -> None:
        self._must_be_unfinished()
        if not self.held or (self.attempt, self.exporter) != (claim.attempt, claim.exporter):
            raise ClaimLost

    def _progress(
        self,
        claim: Claim,
        lease: float,
        progress: Progress,
        crashes: int,
        caller: Caller,
        now: datetime,
    ) -> None:
        self.record(
            self.Progressed,
            caller,
            now,
            attempt=claim.attempt,
            exporter=claim.exporter,
            lease=lease,
            rows=progress.rows,
            total=progress.total,
            progress=progress.percent,
            released=False,
            reason=None,
            wait=0.0,
            crashes=crashes,
            faults=self.faults,
            batch_name=progress.batch_name,
        )

    def _fail(self, code: str, message: str, caller: Caller, now: datetime) -> None:
        self.record(
            self.Failed,
            caller,
            now,
            attempt=self.attempt,
            exporter=self.exporter or "",
            code=code,
            message=message,
        )

    # Evolutions: they never refuse.

    task_id = ""
    request_id = ""
    traceparent: str | None = None
    status: Status = "Processing"
    evicted: str | None = None
    attempt = 0
    exporter: str | None = None
    held = False
    lease = 0.0
    crashes = 0
    faults = 0
    rows = 0
    total: int | None = None
    percent = 1
    batch_name: str | None = None
    file: File | None = None
    failure: tuple[str, str] | None = None
    retries: str | None = None

    def _created(self, event: Created) -> None:
        self.task_id, self.created_at = event.task_id, event.timestamp
        self.request_id, self.traceparent = event.request_id, event.traceparent
        self.owner = OwnerId(event.project_id, event.user_id)
        self.conditions = ExportConditions(
            event.resource_type,
            event.resource_condition,
            event.export_format,
            event.app_type,
            event.scope,
        )
        self.app_id = event.app_id
        self.instance_id = event.instance_id
        self.retries = event.retries

    def _progressed(self, event: Progressed) -> None:
        self.attempt, self.exporter, self.lease = event.attempt, event.exporter, event.lease
        self.rows, self.total, self.percent = event.rows, event.total, event.progress
        self.batch_name = event.batch_name or self.batch_name
        self.held = not event.released
        self.crashes, self.faults = event.crashes, event.faults

    def _completed(self, event: Completed) -> None:
        self.status, self.held = "Success", False
        self.rows, self.total, self.percent = event.rows, event.total, 100
        self.batch_name = event.batch_name or self.batch_name
        self.file = file_of(self.task_id, event)

    def _failed(self, event: Failed) -> None:
        self.status, self.held = "Failed", False
        self.failure = (event.code, event.message)

    def _evicted(self, event: Evicted) -> None:
        self.evicted, self.held = event.reason, False


def file_of(task_id: str, event: Task.Completed) -> File:
    """The file that a completed attempt left."""
    return File(
        task_id=task_id,
        key=event.file,
        size=event.size,
        sha256=event.sha256,
        rows=event.rows,
        sheets=event.sheets,
        repaired=event.repaired,
        complete=event.complete,
        data_as_of=event.data_as_of,
    )
