"""Event -> row changes of tasks, quotas, results and files."""

from __future__ import annotations

from json import dumps, loads
from typing import TYPE_CHECKING, Any

from domain.conditions import ExportConditions, File, OwnerId, Results
from domain.downloads import Downloads
from domain.fact import values_of
from domain.task import Task, file_of, task_stream
from projections import activity, measures
from projections.registry import on, text

if TYPE_CHECKING:
    from datetime import datetime

    from projections.changes import Changes, Row

_COUNTED = {"Processing": "processing", "Success": "success", "Failed": "failure"}
_AS_THEY_ARE = [name for name in File.__slots__ if name != "complete"]


@on(Task.Created)
def created(event: Task.Created, changes: Changes) -> None:
    """One task more, and one slot held."""
    owner = OwnerId(event.project_id, event.user_id)
    conditions = ExportConditions(
        event.resource_type,
        event.resource_condition,
        event.export_format,
        event.app_type,
        event.scope,
    )
    at = text(event.timestamp)
    changes.put(
        "tasks",
        {
            "stream": event.originator_id.hex,
            "task_id": event.task_id,
            "project_id": event.project_id,
            "user_id": event.user_id,
            "conditions": conditions.digest(owner),
            "resource_type": event.resource_type,
            "resource_condition": event.resource_condition,
            "export_format": event.export_format,
            "app_type": event.app_type,
            "scope": event.scope,
            "app_id": event.app_id,
            "instance_id": event.instance_id,
            "status": "Processing",
            "rows": 0,
            "total": None,
            "progress": 1,
            "created_at": at,
            "ended_at": None,
            "error_code": None,
            "error_msg": None,
            "attempt": 0,
            "exporter": None,
            "held": 0,
            "lease": 0.0,
            "wait": 0.0,
            "reason": None,
            "claimed_at": None,
            "heard_at": at,
            "version": event.originator_version,
            "file": None,
            "batch_name": None,
        },
    )
    _count(changes, owner, kept=1, unfinished=1)
    _queue(changes, owner)
    activity.note(changes, at, created=1, processing=1)


@on(Task.Progressed)
def progressed(event: Task.Progressed, changes: Changes) -> None:
    """How far an attempt is; a new attempt is the owner's turn."""
    task, held, at = _task(event, changes), int(not event.released), text(event.timestamp)
    claimed_at = task["claimed_at"]
    if held != task["held"]:
        _count(changes, _owner(task), running=held - task["held"])
        activity.note(changes, at, running=held - task["held"])
    if event.attempt > task["attempt"]:
        changes.alter("quotas", _quota(changes, _owner(task)), served=changes.position)
        claimed_at = at
        measures.claimed(event, task, changes)
    elif event.released:
        measures.released(task, changes)
    changes.alter(
        "tasks",
        task,
        version=event.originator_version,
        rows=event.rows,
        total=event.total,
        progress=event.progress,
        attempt=event.attempt,
        exporter=event.exporter,
        held=held,
        lease=float(event.lease),
        wait=float(event.wait),
        reason=event.reason,
        claimed_at=claimed_at,
        heard_at=at,
        batch_name=event.batch_name or task["batch_name"],
    )


@on(Task.Completed)
def completed(event: Task.Completed, changes: Changes) -> None:
    """A slot less, and a file: current, unless a newer task's is."""
    task, at = _task(event, changes), text(event.timestamp)
    _count(changes, _owner(task), unfinished=-1, running=-task["held"])
    now = {"processing": -1, "running": -task["held"], "success": 1}
    activity.note(changes, at, completed=1, rows=event.rows, **now)
    measures.completed(event, task, changes)
    _change(
        changes,
        task,
        event,
        status="Success",
        rows=event.rows,
        total=event.total,
        progress=100,
        held=0,
        ended_at=at,
        file=event.file,
        batch_name=event.batch_name or task["batch_name"],
    )
    file = file_of(task["task_id"], event)
    before = _results(changes, task["conditions"])
    after = before.completed(file)
    if after.current == file:
        changes.put("files", _file_row(file, task["conditions"], event.timestamp, None))
        _supersede(changes, before.current, event.timestamp)
    else:
        superseded = _file_row(file, task["conditions"], event.timestamp, event.timestamp)
        changes.put("files", superseded)
    _put_results(changes, task["conditions"], after)


@on(Task.Failed)
def failed(event: Task.Failed, changes: Changes) -> None:
    """A slot less, and why."""
    task, at = _task(event, changes), text(event.timestamp)
    _count(changes, _owner(task), unfinished=-1, running=-task["held"])
    now = {"processing": -1, "running": -task["held"], "failure": 1}
    activity.note(changes, at, failed=1, **now)
    activity.failure(changes, at, event.code, task["task_id"])
    measures.failed(event, task, changes)
    _change(
        changes,
        task,
        event,
        status="Failed",
        held=0,
        ended_at=at,
        error_code=event.code,
        error_msg=event.message,
    )


@on(Task.Evicted)
def evicted(event: Task.Evicted, changes: Changes) -> None:
    """A task less; its file stays where it is current for others."""
    task = _task(event, changes)
    unfinished = int(task["status"] == "Processing")
    _count(changes, _owner(task), kept=-1, unfinished=-unfinished, running=-task["held"])
    now = {_COUNTED[task["status"]]: -1, "running": -task["held"]}
    activity.note(changes, text(event.timestamp), removed=1, **now)
    measures.removed(event, task, changes)
    changes.delete("tasks", task["stream"])
    if task["status"] != "Success":
        return
    before = _results(changes, task["conditions"])
    after = before.evicted(task["task_id"])
    if after.current is None:
        _supersede(changes, before.current, event.timestamp)
    if after.current is None or after.current.key != task["file"]:
        changes.delete("files", task["file"])
    _put_results(changes, task["conditions"], after)


@on(Downloads.Granted)
def granted(event: Downloads.Granted, changes: Changes) -> None:
    """When the owner last got a download."""
    quota, at = _quota(changes, OwnerId(event.project_id, event.user_id)), text(event.timestamp)
    changes.alter("quotas", quota, last_download=at)
    activity.note(changes, at, downloads=1)
    measures.granted(changes)


def _task(event: Task.Event, changes: Changes) -> Row:
    task = changes.get("tasks", event.originator_id.hex)
    if task is None:
        raise LookupError("an event of a task that is not there")
    return task


def _change(changes: Changes, task: Row, event: Task.Event, **columns: Any) -> None:
    changes.alter("tasks", task, version=event.originator_version, **columns)


def _owner(task: Row) -> OwnerId:
    return OwnerId(task["project_id"], task["user_id"])


def _quota(changes: Changes, owner: OwnerId) -> Row:
    quota = changes.get("quotas", *owner)
    if quota is None:
        none = {"kept": 0, "unfinished": 0, "running": 0, "served": 0, "last_download": None}
        changes.put("quotas", quota := {**owner._asdict(), **none})
    return quota


def _count(changes: Changes, owner: OwnerId, **more: int) -> None:
    quota = _quota(changes, owner)
    changes.add("quotas", quota, **more)


def _queue(changes: Changes, owner: OwnerId) -> None:
    """Who was never served stands behind all who were by now: so no two have the same place."""
    quota = _quota(changes, owner)
    if not quota["served"]:
        changes.alter("quotas", quota, served=changes.position)


def _results(changes: Changes, conditions: str) -> Results:
    row = changes.get("results", conditions)
    if row is None:
        return Results()
    file = changes.get("files", row["current"])
    if file is None:
        raise LookupError("a current file that is not there")
    return Results(frozenset(loads(row["tasks"])), _file(file))


def _put_results(changes: Changes, conditions: str, results: Results) -> None:
    if results.current is None:
        changes.delete("results", conditions)
        return
    tasks = dumps(sorted(results.tasks))
    row = {"conditions": conditions, "tasks": tasks, "current": results.current.key}
    changes.put("results", row)


def _supersede(changes: Changes, file: File | None, at: datetime) -> None:
    """A file is current no more; forgotten where its task is gone too."""
    if file is None:
        return
    row = changes.get("files", file.key)
    if row and changes.get("tasks", task_stream(file.task_id).hex):
        changes.alter("files", row, superseded_at=text(at))
    else:
        changes.delete("files", file.key)


def _file_row(
    file: File, conditions: str, completed_at: datetime, superseded_at: datetime | None
) -> Row:
    return {
        **values_of(file),
        "complete": int(file.complete),
        "conditions": conditions,
        "completed_at": text(completed_at),
        "superseded_at": superseded_at and text(superseded_at),
    }


def _file(row: Row) -> File:
    return File(**{name: row[name] for name in _AS_THEY_ARE}, complete=bool(row["complete"]))
