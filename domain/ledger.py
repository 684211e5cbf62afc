"""Ledger: the write side of export tasks; one public method per command."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from domain.downloads import Downloads, downloads_stream
from domain.fact import Caller
from domain.limits import LIMITS_STREAM, Limits
from domain.log import LOG_STREAM, Log
from domain.owner import Owner, owner_stream
from domain.refusals import ClaimLost, NoSuchTask, OwnerClosed, TooSlow
from domain.task import Task, task_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from domain.commands import (
        Claim,
        CompleteTask,
        CreateTask,
        DeleteTask,
        GrantDownload,
        Progress,
        RetryTask,
        SetLimits,
    )
    from domain.conditions import OwnerId
    from domain.fact import Aggregate, Fact
    from domain.journal import Journal

GRANT_SECONDS = 1.0


class Ledger:
    """Everything that may happen to export tasks, strict under any concurrency.

    Every method may raise `Unavailable`; the others' refusals are named where they arise.
    """

    def __init__(self, journal: Journal, *, watch: Callable[[], float] = monotonic) -> None:
        self.journal = journal
        self._watch = watch

    # Owners

    def create(self, command: CreateTask) -> Task:
        """Admits a new task, evicting the earliest where fifty are kept.

        Appended in this order, `Evicted`, the owner's event, `Created`, so that every prefix of
        the log keeps the limits (the order is part of the stored format).

        Raises:
            UnfinishedLimitReached: contract, section 2.2.
            OwnerClosed: the user was removed.
        """

        def decide(now: datetime) -> tuple[list[Aggregate], Task]:
            limits = self.limits()
            owner = self._owner(command.owner)
            if command.retries and (under_way := self._retry_of(command.retries, owner)):
                return [], under_way
            task_id = owner.next_task_id(now, self.journal.chance)
            evicted = owner.admit(
                command.owner, task_id, limits, self._is_unfinished, command.caller, now
            )
            gone = [self._standing(each) for each in evicted]
            for each in filter(_is_kept, gone):
                each.evict("kept_limit", task_id, command.caller, now)
            task = Task.of(task_stream(task_id), ())
            task.create(task_id, command, now)
            return [*gone, owner, task], task

        return self.journal.record(decide, command.owner)

    def retry(self, command: RetryTask) -> Task:
        """Admits a new task in a failed one's stead; repeated, it is the same until it has ended.

        Raises:
            NoSuchTask, NotFailed: it never was; or did not fail, or was removed.
            UnfinishedLimitReached, OwnerClosed: as `create`.
        """
        task = self._task(command.task_id)
        if not task.version:
            raise NoSuchTask
        if self._owner(task.owner).closed:
            raise OwnerClosed
        return self.create(task.again(command.caller))

    def delete(self, command: DeleteTask) -> None:
        """Removes a task in any state; a repeated delete is no refusal (contract, section 2.6).

        Raises:
            NoSuchTask: never was, was evicted, or is another owner's.
        """

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            # In this order: what another delete did between the two is then seen at the task.
            owner = self._owner(command.owner)
            task = self._salvaged(command.task_id)
            if command.task_id in owner.kept and _is_kept(task):
                task.evict("deleted", None, command.caller, now)
                owner.release(command.owner, command.task_id, command.caller, now)
                return [task, owner], None
            if task.evicted == "deleted" and task.owner == command.owner:
                return [], None
            raise NoSuchTask

        self.journal.record(decide, command.owner)

    def close(self, owner_id: OwnerId, caller: Caller) -> None:
        """Removes all of an owner's tasks and admits no more; repeated, it changes nothing."""

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            owner = self._owner(owner_id)
            if owner.closed:
                return [], None
            tasks = [self._standing(each) for each in owner.kept]
            for task in filter(_is_kept, tasks):
                task.evict("deleted", None, caller, now)
            owner.close(owner_id, caller, now)
            return [*tasks, owner], None

        self.journal.record(decide, owner_id)

    def grant_download(self, command: GrantDownload) -> None:
        """Records that the owner gets the file now (contract, section 2.5).

        Raises:
            DownloadTooSoon: the last one is less than the interval ago.
            TooSlow: more than a second passed between the clock and the record; send no bytes.
        """
        began = 0.0

        def decide(_: datetime) -> tuple[list[Aggregate], None]:
            nonlocal began
            began, now = self._watch(), self.journal.clock()
            downloads = self._downloads(command.owner)
            downloads.grant(command, self.limits().download_interval, now)
            return [downloads], None

        self.journal.record(decide)
        if self._watch() - began > GRANT_SECONDS:
            raise TooSlow

    def may_resume(self, owner: OwnerId, etag: str) -> bool:
        """May the owner go on with a broken download of this ETag without a new grant?"""
        return self._downloads(owner).may_resume(etag, self.journal.clock())

    def seconds_to_next_download(self, owner: OwnerId) -> float:
        """How long until the owner may download again; 0: at once."""
        interval = self.limits().download_interval
        return max(0.0, self._downloads(owner).seconds_to_next(interval, self.journal.clock()))

    def history(self, task_id: str) -> list[Fact]:
        """Everything that happened to a task, also after its removal; empty where it never was."""
        return self.journal.history(task_stream(task_id))

    def request_of(self, task_id: str) -> str | None:
        """In which request a task was created; None where that cannot be told."""
        created = self.journal.first(task_stream(task_id))
        return created.request_id if created else None

    def downloads(self, owner: OwnerId, most: int) -> list[Fact]:
        """The owner's latest downloads, oldest first."""
        return self.journal.part(downloads_stream(owner), most, newest=True)

    # Exporters

    def claim(
        self, task_id: str, version: int, exporter: str, lease: float, crashes_allowed: int
    ) -> tuple[Task, Claim | None]:
        """Begins an attempt at an unclaimed, released or abandoned task.

        `version` is the task's as the caller knows it: of a held task it has seen nothing newer
        for its lease on a clock of its own (nobody compares clocks). The claim is None where the
        task failed for dying too often instead.

        Raises:
            TaskOver: it has ended or is gone; or (ClaimLost) something happened to it since.
        """
        caller = self._exporter()

        def decide(now: datetime) -> tuple[list[Aggregate], tuple[Task, Claim | None]]:
            task = self._task(task_id)
            if task.version != version:
                raise ClaimLost
            claim = task.take(exporter, lease, crashes_allowed, caller, now)
            return [task], (task, claim)

        return self.journal.record(decide)

    def progress(self, claim: Claim, lease: float, progress: Progress) -> None:
        """The attempt goes on. Raises TaskOver (ClaimLost) where it may not."""
        self._change(
            claim, lambda task, caller, now: task.progress(claim, lease, progress, caller, now)
        )

    def hand_back(
        self, claim: Claim, reason: str, *, wait: float = 0.0, fault: bool = False
    ) -> None:
        """The attempt ends without blame. Raises TaskOver (ClaimLost) where it is over already."""
        self._change(
            claim, lambda task, caller, now: task.hand_back(claim, reason, wait, fault, caller, now)
        )

    def complete(self, command: CompleteTask) -> None:
        """The attempt's file is the result. Raises TaskOver (ClaimLost) where it may not be."""
        self._change(command.claim, lambda task, caller, now: task.complete(command, caller, now))

    def fail(self, claim: Claim, code: str, message: str) -> None:
        """There can be no result. Raises TaskOver (ClaimLost) where it is over already."""
        self._change(claim, lambda task, caller, now: task.fail(claim, code, message, caller, now))

    # Operators

    def limits(self) -> Limits:
        """The rules' numbers in force."""
        return self.journal.latest(Limits, LIMITS_STREAM)

    def set_limits(self, command: SetLimits) -> None:
        """Changes the rules' numbers; an owner meets them at its next create."""

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            limits = self.limits()
            limits.change(command, now)
            return [limits], None

        self.journal.record(decide)

    def log(self) -> Log:
        """What this log is; without ids where it has not begun."""
        return self.journal.latest(Log, LOG_STREAM)

    def begin(self, caller: Caller, results: str | None = None) -> Log:
        """What this log is; begins it where it has not, with the mark that its results bear."""

        def decide(now: datetime) -> tuple[list[Aggregate], Log]:
            log = self.log()
            if log.incarnation is None:
                log.begin(self._draw(), results or self._draw(), caller, now)
            return [log], log

        return self.journal.record(decide)

    def begin_anew(self, count: int, caller: Caller) -> Log:
        """Makes a log of `count` events, just put back from a backup, a new incarnation.

        Positions and attempts' numbers of the old one may be given again: by the new id whoever
        has read further knows that what it read may be gone. The results stay the log's.
        """

        def decide(now: datetime) -> tuple[list[Aggregate], Log]:
            log = self.log()
            log.begin(self._draw(), log.results or self._draw(), caller, now, count)
            return [log], log

        return self.journal.record(decide)

    def task(self, task_id: str) -> Task | None:
        """The task as its events say, removed or not; None where it never was."""
        task = self._task(task_id)
        return task if task.version else None

    def _change(self, claim: Claim, change: Callable[[Task, Caller, datetime], None]) -> None:
        caller = self._exporter()

        def decide(now: datetime) -> tuple[list[Aggregate], None]:
            task = self._task(claim.task_id)
            change(task, caller, now)
            return [task], None

        self.journal.record(decide)

    def _exporter(self) -> Caller:
        return Caller(by="exporter", request_id=self._draw())

    def _draw(self) -> str:
        return f"{self.journal.chance.getrandbits(128):032x}"

    def _task(self, task_id: str) -> Task:
        return self.journal.load(Task, task_stream(task_id))

    def _salvaged(self, task_id: str) -> Task:
        """Of a task that cannot be read it is only sure that it can be removed."""
        return self.journal.salvage(Task, task_stream(task_id))

    def _standing(self, task_id: str) -> Task:
        """Whether the task is unfinished, or gone: its last fact tells, however long its story."""
        return self.journal.salvage(Task, task_stream(task_id), latest=True)

    def _retry_of(self, task_id: str, owner: Owner) -> Task | None:
        """The unfinished task that retries this one already."""
        holders = map(self._task, owner.holders)
        return next((each for each in holders if each.retries == task_id and each.unfinished), None)

    def _is_unfinished(self, task_id: str) -> bool:
        return self._standing(task_id).unfinished

    def _owner(self, owner: OwnerId) -> Owner:
        return self.journal.latest(Owner, owner_stream(owner))

    def _downloads(self, owner: OwnerId) -> Downloads:
        return self.journal.latest(Downloads, downloads_stream(owner))


def _is_kept(task: Task) -> bool:
    """False where it went since the owner was read: the owner's version check then tells."""
    return task.evicted is None
