"""Shelf: an owner's kept tasks as a page shows them; nothing is counted to tell how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.commands import NEWEST
from projections.queries import ask
from projections.rows import TaskRow, all_of, columns_of

if TYPE_CHECKING:
    from domain.conditions import OwnerId
    from projections.follower import Follower

_SHELF = """
    SELECT {columns}, files.size FROM tasks
    LEFT JOIN results ON results.conditions = tasks.conditions AND tasks.status = 'Success'
    LEFT JOIN files ON files.key = results.current
    WHERE {where} AND tasks.task_id < :_before ORDER BY tasks.task_id DESC LIMIT :_limit
"""
_EARLIEST = "SELECT min(task_id) FROM tasks WHERE project_id = ? AND user_id = ?"


class ShelvedTask(TaskRow, frozen=True):
    """A kept task, and how many bytes a download of it would give now."""

    size: int | None


def shelf(
    follower: Follower,
    owner: OwnerId | None,
    *,
    limit: int,
    before: str = NEWEST,
    **filters: str | None,
) -> list[ShelvedTask]:
    """Kept tasks with ids smaller than `before`, newest first; of all owners where none is given.

    `filters` are columns of the tasks and their values; None matches everything. Raises
    Unavailable.
    """
    wanted = {**(owner._asdict() if owner else {}), **filters}
    wanted = {column: value for column, value in wanted.items() if value is not None}
    where = " AND ".join(f"tasks.{column} = :{column}" for column in wanted) or "true"
    query = _SHELF.format(columns=columns_of(TaskRow, "tasks"), where=where)
    with follower.caught_up() as database:
        found = ask(database, query, {**wanted, "_before": before, "_limit": limit})
        return all_of(ShelvedTask, found)


def earliest(follower: Follower, owner: OwnerId) -> str | None:
    """The id of the owner's earliest kept task: the next to go. Raises Unavailable."""
    with follower.caught_up() as database:
        (task_id,) = ask(database, _EARLIEST, list(owner)).fetchone()
        return None if task_id is None else str(task_id)
