"""Measures: what the whole log has seen so far, as counters and histograms that only grow.

Each is a row, changed by an event from the rows as they are before it; so whoever folds the log
tells the same, on every node and after every restart.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from typing import TYPE_CHECKING, Any

from domain.downloads import Downloads
from domain.task import DIED_TOO_OFTEN, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.fact import Fact
    from projections.changes import Changes, Row

BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)
"""Where the buckets of how long tasks took end, in seconds."""

BUCKETS = (*(f"{bound:g}" for bound in BOUNDS), "above")
ENDED = ("completed", "failed", "released", "lost", "removed")
"""How a claim ends. It is lost when its lease ran out, whoever found that out."""


def measure(event: Fact, changes: Changes) -> None:
    """Counts an event, before it is projected."""
    counted = _MEASURES.get(type(event))
    if counted:
        counted(event, changes)


def _created(_: Task.Created, changes: Changes) -> None:
    _count(changes, "created")


def _progressed(event: Task.Progressed, changes: Changes) -> None:
    task = _task(event, changes)
    if event.attempt > task["attempt"]:
        _end(changes, task, "lost")
        _count(changes, "claims")
        if not task["attempt"]:
            _took(changes, "wait", task["created_at"], event.timestamp)
    elif event.released:
        _end(changes, task, "released")


def _completed(event: Task.Completed, changes: Changes) -> None:
    task = _task(event, changes)
    _end(changes, task, "completed")
    _took(changes, "run", task["claimed_at"], event.timestamp)
    _took(changes, "total", task["created_at"], event.timestamp)
    _count(changes, "rows", amount=event.rows)
    _count(changes, "bytes", amount=event.size)


def _failed(event: Task.Failed, changes: Changes) -> None:
    _end(changes, _task(event, changes), "lost" if event.code == DIED_TOO_OFTEN else "failed")
    _count(changes, "failed", event.code)


def _evicted(event: Task.Evicted, changes: Changes) -> None:
    _end(changes, _task(event, changes), "removed")
    _count(changes, "removed", event.reason)


def _granted(_: Downloads.Granted, changes: Changes) -> None:
    _count(changes, "granted")


_MEASURES: dict[type[Fact], Callable[[Any, Changes], None]] = {
    Task.Created: _created,
    Task.Progressed: _progressed,
    Task.Completed: _completed,
    Task.Failed: _failed,
    Task.Evicted: _evicted,
    Downloads.Granted: _granted,
}


def _task(event: Task.Event, changes: Changes) -> Row:
    task = changes.get("tasks", event.originator_id.hex)
    if task is None:
        raise LookupError("an event of a task that is not there")
    return task


def _end(changes: Changes, task: Row, how: str) -> None:
    """The task's claim, if there is one, ends."""
    if task["held"]:
        _count(changes, "ended", how)


def _took(changes: Changes, what: str, since: str | None, until: datetime) -> None:
    """So long from one event to another; clocks differ, and none took less than no time."""
    if since is not None:
        took = (until - datetime.fromisoformat(since)).total_seconds()
        bucket = BUCKETS[bisect_left(BOUNDS, took)]
        _count(changes, what, bucket, amount=max(0, round(took * 1000)))


def _count(changes: Changes, what: str, of: str = "", *, amount: int = 0) -> None:
    row = changes.get("measures", what, of)
    if row is None:
        changes.put("measures", {"measure": what, "of": of, "count": 1, "amount": amount})
    else:
        changes.add("measures", row, count=1, amount=amount)
