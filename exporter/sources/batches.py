"""The local source's writing side: batch tasks imported, made up, run on and removed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from exporter.sources import (
    DETAIL_STATUSES,
    FINAL_STATUSES,
    BatchRefused,
    BatchTask,
    told,
    told_at_end,
    utc_text,
)
from exporter.sources.embedded import Embedded, Foreign, refusing
from exporter.sources.fields import MAX_NAME, BatchLine, Place, checked
from exporter.sources.generate import made_up, task_type_of
from exporter.sources.lines import batch_line, details, numbered
from exporter.sources.sql import BY_STATUS, SqlSource, sqlite_path

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Container, Iterable, Iterator, Mapping
    from types import TracebackType

    from exporter.sources import Detail
    from exporter.sources.lines import Format, Lines

__all__ = ["BatchRefused", "BatchReport", "Batches"]

PROGRESS_ROWS = 5_000
MAX_GENERATED = 10_000_000
UNSAID_TYPE = "unknown"
UNSAID_NAME = "imported"

Watcher: TypeAlias = Callable[[int], None]
"""Hears how many details are in so far."""

_ADD_TASK = """
INSERT INTO batch_tasks
    (task_id, project_id, app_id, task_name, task_type, status, create_time)
VALUES (?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT), ?, ?)
"""
_ADD_DETAIL = """
INSERT INTO batch_task_details (task_id, target, status, output, error_code, error_msg)
VALUES (?, CAST(? AS TEXT), ?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT))
"""
_STATUS = "SELECT status FROM batch_tasks WHERE task_id = ?"
_SET_STATUS = "UPDATE batch_tasks SET status = ? WHERE task_id = ?"
_REMOVE = "DELETE FROM batch_tasks WHERE task_id = ?"


@dataclass(frozen=True, slots=True)
class BatchReport:
    """A batch task and its details counted by status, every documented status named."""

    task: BatchTask
    by_status: dict[str, int]


class Batches:
    """The batch tasks of an embedded SQLite file, which is made where it is missing, or of tables.

    Every change is one transaction: it is on disk when the call returns, or nothing of it ever
    shows, whatever ends the process; readers go on meanwhile. Everything raises BatchRefused.
    A database that was not made here can be listed and shown, and is never changed.
    """

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[datetime], str] = lambda now: _id_of(now),
    ) -> None:
        self._now = now
        self._new_id = new_id
        self._file, self._source = _opened(url)

    def __enter__(self) -> Batches:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def import_(
        self,
        lines: Lines,
        *,
        project_id: str,
        app_id: str | None = None,
        format: Format = "jsonl",
        progress: Watcher | None = None,
        apps: Container[str] | None = None,
        **unsaid: str,
    ) -> str:
        """Takes in a batch task with all its details, and returns its id.

        JSON Lines: the first line is the batch task, each further line a detail. CSV: a header,
        then details. What the file leaves out is taken from `unsaid` (`task_id`, `task_name`,
        `task_type`, `status`, `create_time`); a status that nobody says is told by the details,
        and a CSV that nobody names has its file's name. `apps` are the project's: another is
        refused.
        """
        place = checked({"project_id": project_id, "app_id": app_id}, Place)
        defaults = checked(unsaid, BatchLine)
        rows = numbered(lines)
        named = BatchLine(task_name=defaults.task_name or _name_of(lines))
        said = batch_line(rows) if format == "jsonl" else named
        task = self._task(place, said, defaults)
        if apps is not None and task.app_id is not None and task.app_id not in apps:
            raise BatchRefused(f"The app '{task.app_id}' of the project does not exist.")
        status = said.status or defaults.status
        self._add(task, details(rows, format), progress, lambda counts: status or told(counts))
        return task.task_id

    def append(
        self,
        task_id: str,
        lines: Lines,
        format: Format = "jsonl",
        progress: Watcher | None = None,
    ) -> int:
        """Adds details to a batch task that runs on, all or none; returns how many."""
        with self._file.writing() as database:
            _require_running(database, task_id)
            return _add_details(database, task_id, details(numbered(lines), format), progress)

    def finish(self, task_id: str, status: str | None = None) -> str:
        """Ends a batch task with a final status, by default the one its details tell."""
        if status is not None and status not in FINAL_STATUSES:
            raise BatchRefused(f"'{status}' ends nothing; use one of {', '.join(FINAL_STATUSES)}.")
        with self._file.writing() as database:
            _require_running(database, task_id)
            final = status or told(_by_status(database, task_id))
            if final not in FINAL_STATUSES:
                raise BatchRefused(
                    f"Some details of the batch task '{task_id}' are not over; "
                    f"name the status it ends with: {', '.join(FINAL_STATUSES)}."
                )
            database.execute(_SET_STATUS, (final, task_id))
        return final

    def generate(
        self,
        project_id: str,
        rows: int,
        app_id: str | None = None,
        seed: int = 0,
        task_type: str | None = None,
        progress: Watcher | None = None,
        name: str | None = None,
    ) -> str:
        """Makes up a finished batch task, the same details for the same seed; returns its id.

        `rows` is 0 to MAX_GENERATED; `task_type` one of `generate.TASK_TYPES`, else the seed's;
        without a `name` it is called after what it is.
        """
        if not 0 <= rows <= MAX_GENERATED:
            raise BatchRefused(f"The number of rows must be 0 to {MAX_GENERATED}.")
        place = checked({"project_id": project_id, "app_id": app_id}, Place)
        kind = task_type_of(seed, task_type)
        called = f"made up: {kind}, seed {seed}" if name is None else name
        named = checked({"task_name": called, "task_type": kind}, BatchLine)
        task = self._task(place, named, BatchLine())
        self._add(task, made_up(rows, seed, kind), progress, told_at_end)
        return task.task_id

    def list(self, project_id: str | None = None) -> tuple[BatchTask, ...]:
        """The batch tasks, of one project or of all, newest first."""
        with refusing():
            return tuple(self._source.tasks(project_id))

    def show(self, task_id: str) -> BatchReport:
        """One batch task, its details counted."""
        with refusing():
            for task in self._source.tasks(task_id=task_id):
                counted = self._source.by_status(task_id)
                return BatchReport(task, dict.fromkeys(DETAIL_STATUSES, 0) | counted)
        raise _no_such(task_id)

    def remove(self, task_id: str) -> None:
        """Removes a batch task with all its details; files exported from it stay."""
        with self._file.writing() as database:
            if database.execute(_REMOVE, (task_id,)).rowcount == 0:
                raise _no_such(task_id)

    def _task(self, place: Place, said: BatchLine, defaults: BatchLine) -> BatchTask:
        if place.app_id and said.app_id and place.app_id != said.app_id:
            raise BatchRefused(f"The file is for the app '{said.app_id}', not '{place.app_id}'.")
        created = said.create_time or defaults.create_time
        name = said.task_name or defaults.task_name
        if name is None:
            raise BatchRefused("line 1 (the batch task), field 'task_name': missing.")
        return BatchTask(
            task_id=said.task_id or defaults.task_id or self._new_id(self._now()),
            project_id=place.project_id,
            app_id=place.app_id or said.app_id,
            task_name=name,
            task_type=said.task_type or defaults.task_type or UNSAID_TYPE,
            status="Initializing",
            create_time=created or utc_text(self._now().isoformat()),
            total=0,
        )

    def _add(
        self,
        task: BatchTask,
        rows: Iterable[Detail],
        progress: Watcher | None,
        status_of: Callable[[Mapping[str, int]], str],
    ) -> None:
        with self._file.writing() as database:
            _add_task(database, task)
            _add_details(database, task.task_id, rows, progress)
            status = status_of(_by_status(database, task.task_id))
            database.execute(_SET_STATUS, (status, task.task_id))


def _id_of(now: datetime) -> str:
    """An id larger than those made before this millisecond: the API lists by falling id."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(6)}"


def _opened(url: str) -> tuple[Embedded | Foreign, SqlSource]:
    if url.startswith("postgresql://"):
        from exporter.sources.postgres import PostgresSource

        return Foreign(), PostgresSource(url)
    path = sqlite_path(url)
    return Embedded(path), SqlSource(path)


def _name_of(lines: Lines) -> str:
    name = getattr(lines, "name", None)
    given = Path(name).stem if isinstance(name, str) and not name.startswith("<") else ""
    return given[:MAX_NAME] or UNSAID_NAME


def _add_task(database: sqlite3.Connection, task: BatchTask) -> None:
    if database.execute(_STATUS, (task.task_id,)).fetchone():
        raise BatchRefused(f"The batch task '{task.task_id}' exists already.")
    named = (task.task_id, task.project_id, task.app_id, task.task_name, task.task_type)
    database.execute(_ADD_TASK, (*named, task.status, task.create_time))


def _add_details(
    database: sqlite3.Connection, task_id: str, rows: Iterable[Detail], progress: Watcher | None
) -> int:
    watched = _watched(rows, progress) if progress else rows
    return database.executemany(_ADD_DETAIL, ((task_id, *row) for row in watched)).rowcount


def _watched(rows: Iterable[Detail], progress: Watcher) -> Iterator[Detail]:
    count = 0
    for count, row in enumerate(rows, 1):
        if count % PROGRESS_ROWS == 0:
            progress(count)
        yield row
    progress(count)


def _by_status(database: sqlite3.Connection, task_id: str) -> dict[str, int]:
    return dict(database.execute(BY_STATUS, (task_id,)))


def _require_running(database: sqlite3.Connection, task_id: str) -> None:
    found = database.execute(_STATUS, (task_id,)).fetchone()
    if not found:
        raise _no_such(task_id)
    if found[0] in FINAL_STATUSES:
        raise BatchRefused(f"The batch task '{task_id}' is finished ({found[0]}).")


def _no_such(task_id: str) -> BatchRefused:
    return BatchRefused(f"The batch task '{task_id}' does not exist.")
