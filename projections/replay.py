"""Replay: what the events alone say, in memory, as of any position; nothing is written anywhere."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from projections.changes import Changes, nothing
from projections.follower import LogAltered
from projections.position import Position, apply, news_since
from projections.rows import FileRow, QuotaRow, TaskRow, row_of

if TYPE_CHECKING:
    from eventsourcing.persistence import ApplicationRecorder, Notification

    from projections.changes import Row

PAGE = 5000


class Replay:
    """The read tables' rows as the events alone make them, as far as was asked."""

    def __init__(self, recorder: ApplicationRecorder) -> None:
        self.recorder = recorder
        self._changes = Changes(nothing)

    @property
    def position(self) -> Position:
        """The last event that is in it."""
        return Position.read(self._changes)

    def advance(self, until: int | None = None) -> None:
        """Goes on to the log's head, or to a position.

        Raises:
            LogAltered: what was read before is not there any more.
        """
        while news := self._news(until):
            apply(news, self._changes)

    def rows(self, table: str) -> dict[tuple[Any, ...], Row]:
        """A table's rows by their keys."""
        return rows_of(self._changes, table)

    def current_files(self) -> dict[str, Row]:
        """By key, the files that are current for some conditions (contract, section 2.4)."""
        files = self.rows("files")
        keys = (row["current"] for row in self.rows("results").values())
        return {key: files[key,] for key in keys if key}

    def tasks(self) -> list[TaskRow]:
        """The kept tasks of all owners, newest first."""
        return tasks_of(self._changes)

    def download(self, task: TaskRow) -> FileRow | None:
        """The file that a download of the task would give."""
        return download_of(self._changes, task)

    def quotas(self) -> list[QuotaRow]:
        """Every owner's numbers."""
        return [row_of(QuotaRow, row) for _, row in sorted(self.rows("quotas").items())]

    def _news(self, until: int | None) -> list[Notification]:
        news = news_since(self.recorder, self.position, PAGE)
        if news is None:
            raise LogAltered
        return [event for event in news if until is None or event.id <= until]


def rows_of(changes: Changes, table: str) -> dict[tuple[Any, ...], Row]:
    """A table's rows by their keys, where all there is has been changed in memory."""
    return {key: row for (name, key), row in changes.rows.items() if name == table and row}


def tasks_of(changes: Changes) -> list[TaskRow]:
    """The tasks, newest first."""
    tasks = [row_of(TaskRow, row) for row in rows_of(changes, "tasks").values()]
    return sorted(tasks, key=attrgetter("task_id"), reverse=True)


def download_of(changes: Changes, task: TaskRow) -> FileRow | None:
    """The file that a download of the task would give: the current one of its conditions."""
    result = changes.get("results", task.conditions) if task.status == "Success" else None
    file = changes.get("files", result["current"]) if result else None
    return row_of(FileRow, file) if file else None
