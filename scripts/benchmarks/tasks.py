"""Tasks: the life that the measured ones lead, through the real ledger."""

from __future__ import annotations

from hashlib import sha256
from json import dumps
from secrets import token_hex, token_urlsafe
from typing import TYPE_CHECKING

from domain.commands import Claim, CompleteTask, CreateTask
from domain.conditions import ExportConditions, File, OwnerId
from domain.fact import Caller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.ledger import Ledger
    from domain.task import Task
    from exporter.results import Results

PROJECT = "bench"
LEASE = 60.0
_ADDRESS_BYTES = 48


def owners(count: int) -> list[OwnerId]:
    """So many users of one project."""
    return [OwnerId(PROJECT, f"{number:032x}") for number in range(count)]


def creating(owner: OwnerId, batch_id: str | None = None) -> CreateTask:
    """A create as the API asks for it, of a batch task or of conditions that nobody else has."""
    conditions = ExportConditions(
        resource_type="BatchTask",
        resource_condition=dumps({"task_id": batch_id or token_hex(12)}, separators=(",", ":")),
        export_format="xls",
        app_type="GLOBAL",
        scope=None,
    )
    caller = Caller(owner.user_id, token_hex(16), token_hex(10), token_urlsafe(_ADDRESS_BYTES))
    return CreateTask(owner, conditions, app_id=None, instance_id=None, caller=caller)


def claim(ledger: Ledger, task: Task) -> Claim:
    """An exporter takes a task that was just created."""
    _, found = ledger.claim(task.task_id, task.version, "bench", LEASE, crashes_allowed=3)
    if found is None:
        raise LookupError(f"the task {task.task_id} could not be claimed")
    return found


def complete(
    ledger: Ledger, task: Task, claimed: Claim, content: bytes = b"", to: Results | None = None
) -> None:
    """The exporter has made a file; where a place is given for it, it is there."""
    key = f"{task.task_id}/{claimed.attempt}-{token_hex(8)}.xls"
    if to:
        spool = to.spool(key)
        spool.write_bytes(content)
        to.put(key, spool)
    file = File(
        task_id=task.task_id,
        key=key,
        size=len(content),
        sha256=sha256(content).hexdigest(),
        rows=10,
        sheets=1,
        repaired=0,
        complete=True,
        data_as_of="2026-11-24T12:00:00.000Z",
    )
    ledger.complete(CompleteTask(claimed, file, file.rows))


def finish(ledger: Ledger, task_id: str) -> None:
    """An exporter takes the task and has made a file."""
    if task := ledger.task(task_id):
        complete(ledger, task, claim(ledger, task))


def must_succeed(ledger: Ledger, tasks: Iterable[Task], rows: int) -> None:
    """Raises LookupError where a task has not succeeded with so many rows."""
    for task in tasks:
        done = ledger.task(task.task_id)
        if done is None or (done.status, done.rows) != ("Success", rows):
            raise LookupError(f"the task {task.task_id} did not succeed with {rows:,} rows")
