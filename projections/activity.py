"""What goes on, in numbers that are rows: tasks by status, what each hour saw, why tasks failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.changes import Changes, Row

SEEN = ("created", "completed", "failed", "removed", "downloads", "rows")
"""What is counted by the hour; `rows` are those of workbooks that were completed."""

_NOBODY = {"id": 1, "processing": 0, "success": 0, "failure": 0, "running": 0}
_QUIET = dict.fromkeys(SEEN, 0)


def note(changes: Changes, at: str, **more: int) -> None:
    """So many tasks more (or fewer) of each status, and so much more seen in this hour.

    All of it is one row, since every event changes it; hours that are over have rows of their own.
    """
    row = changes.get("activity", 1)
    if row is None or row["hour"] != at[:13]:
        row = _another_hour(changes, row, at[:13])
    changes.add("activity", row, **more)


def failure(changes: Changes, at: str, code: str, task_id: str) -> None:
    """One more on this day for this reason. A month later another day takes its row."""
    row: Row | None = changes.get("failures", at[8:10], code)
    if row is None or row["day"] != at[:10]:
        row = {"slot": at[8:10], "code": code, "day": at[:10], "tasks": 0}
    changes.put("failures", {**row, "tasks": row["tasks"] + 1, "latest": task_id})


def _another_hour(changes: Changes, row: Row | None, hour: str) -> Row:
    """Puts an hour away, and goes on with another: clocks differ, so it may be an earlier one.

    A day later yet another hour takes its row.
    """
    if row:
        changes.put("hours", {name: row[name] for name in ("hour", *SEEN)} | _slot(row["hour"]))
    before = changes.get("hours", *_slot(hour).values())
    seen = before if before and before["hour"] == hour else {"hour": hour, **_QUIET}
    return {**(row or _NOBODY), **{name: seen[name] for name in ("hour", *SEEN)}}


def _slot(hour: str) -> dict[str, str]:
    return {"slot": hour[-2:]}
