"""Measures: what the whole log has seen so far, as counters and histograms that only grow.

Each is a row, changed by an event, which is handed the task's row as it was before; so whoever
folds the log tells the same, on every node and after every restart. What follows from others has
no row: the tasks that were created are those that are kept or were removed, every one that was
completed has a run, and every claim has ended or is held.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from typing import TYPE_CHECKING

from domain.codes import DIED_TOO_OFTEN

if TYPE_CHECKING:
    from domain.task import Task
    from projections.changes import Changes, Row

BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)
"""Where the buckets of how long tasks took end, in seconds."""

BUCKETS = (*(f"{bound:g}" for bound in BOUNDS), "above")


def claimed(event: Task.Progressed, task: Row, changes: Changes) -> None:
    """Another attempt begins; whoever was at it has lost its lease."""
    _end(changes, task, "lost")
    if not task["attempt"]:
        _took(changes, "wait", task["created_at"], event.timestamp)


def released(task: Row, changes: Changes) -> None:
    """An attempt was handed back."""
    _end(changes, task, "released")


def completed(event: Task.Completed, task: Row, changes: Changes) -> None:
    """A file more."""
    _took(changes, "run", task["claimed_at"], event.timestamp)
    _took(changes, "total", task["created_at"], event.timestamp)
    _count(changes, "written", more=event.rows, amount=event.size)


def failed(event: Task.Failed, task: Row, changes: Changes) -> None:
    """No file, and why."""
    _count(changes, "failed", event.code)
    if event.code == DIED_TOO_OFTEN:
        _end(changes, task, "lost")


def removed(event: Task.Evicted, task: Row, changes: Changes) -> None:
    """A task less, and why."""
    _count(changes, "removed", event.reason)
    _end(changes, task, "removed")


def granted(changes: Changes) -> None:
    """A download that counts for the interval."""
    _count(changes, "granted")


def _end(changes: Changes, task: Row, how: str) -> None:
    """The task's claim, if there is one, ends; lost: its lease ran out, whoever found that out."""
    if task["held"]:
        _count(changes, "ended", how)


def _took(changes: Changes, what: str, since: str | None, until: datetime) -> None:
    """So long from one event to another; clocks differ, and none took less than no time."""
    if since is not None:
        took = (until - datetime.fromisoformat(since)).total_seconds()
        bucket = BUCKETS[bisect_left(BOUNDS, took)]
        _count(changes, what, bucket, amount=max(0, round(took * 1000)))


def _count(changes: Changes, what: str, of: str = "", *, more: int = 1, amount: int = 0) -> None:
    row = changes.get("measures", what, of)
    if row is None:
        changes.put("measures", {"measure": what, "of": of, "count": more, "amount": amount})
    else:
        changes.add("measures", row, count=more, amount=amount)
