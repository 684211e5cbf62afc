"""Reads batch tasks from two tables or views of a SQLite file, and never writes to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from exporter.sources import BATCH_STATUSES, PAGE_ROWS, BatchTask, SourceFailed, utc_text
from projections.shown import shown
from projections.stores.any_text import is_no_text, read_anyhow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.sources import Detail

BUSY_SECONDS = 5.0
_SCHEME = "sqlite:///"

TASKS = """
SELECT CAST(task_id AS TEXT), CAST(project_id AS TEXT), CAST(app_id AS TEXT),
       CAST(task_name AS TEXT), CAST(task_type AS TEXT), CAST(status AS TEXT),
       CAST(create_time AS TEXT)
FROM batch_tasks
"""
FIND = (
    TASKS
    + "WHERE task_id = ?1 AND project_id = ?2 AND (CAST(?3 AS TEXT) IS NULL OR app_id = ?3) LIMIT 2"
)
LIST = f"""{TASKS}
WHERE (CAST(?1 AS TEXT) IS NULL OR project_id = ?1) AND (CAST(?2 AS TEXT) IS NULL OR task_id = ?2)
ORDER BY create_time DESC, task_id
"""
COUNT = "SELECT count(*) FROM batch_task_details WHERE task_id = ?"
BY_STATUS = """
SELECT CAST(status AS TEXT), count(*) FROM batch_task_details WHERE task_id = ? GROUP BY 1
"""
DETAILS = """
SELECT seq, CAST(target AS TEXT), CAST(status AS TEXT), CAST(output AS TEXT),
       CAST(error_code AS TEXT), CAST(error_msg AS TEXT)
FROM batch_task_details
"""
FIRST_PAGE = DETAILS + "WHERE task_id = ? ORDER BY seq LIMIT ?"
NEXT_PAGE = DETAILS + "WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?"

_PASSING = {
    sqlite3.SQLITE_BUSY: "it is locked by another program",
    sqlite3.SQLITE_LOCKED: "it is locked by another program",
    sqlite3.SQLITE_PROTOCOL: "it is locked by another program",
    sqlite3.SQLITE_IOERR: "its disk could not be read",
    sqlite3.SQLITE_READONLY: "its last writer was cut off and has to open it once more",
    sqlite3.SQLITE_FULL: "there is no room to sort its rows",
}
_LASTING = {
    sqlite3.SQLITE_CANTOPEN: "its file or folder does not let it be opened",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
}


def sqlite_path(url: str) -> Path:
    """The file of `sqlite:///relative` or `sqlite:////absolute`; ValueError for anything else."""
    path = url.removeprefix(_SCHEME)
    if path == url or not path:
        raise ValueError(f"The source '{shown(url)}' names no file: use sqlite:///PATH.")
    return Path(path)


class SqlSource:
    """A source over `batch_tasks` and `batch_task_details`, as `docs/source.md` describes them.

    Every question opens the file anew, and every page is a read of its own, so that no
    long read holds back the checkpoints of whoever writes there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def reading(self) -> Reading:
        """A connection to ask by; to be closed."""
        return SqliteReading(self._path)

    def reading_cells(self) -> Reading:
        """One to read cells by; bytes that are no UTF-8 are left for the workbook to mend."""
        return SqliteReading(self._path, "surrogateescape")

    def find(self, project_id: str, task_id: str, app_id: str | None) -> BatchTask | None:
        """The batch task, or None where there is none such in the project and app."""
        with closing(self.reading()) as reading:
            found = reading.rows(FIND, task_id, project_id, app_id)
            if len(found) > 1:
                raise SourceFailed("The source has two batch tasks of that id.", passing=False)
            return batch_task(found[0], _count(reading, task_id)) if found else None

    def pages(self, task_id: str, size: int = PAGE_ROWS) -> Iterator[list[Detail]]:
        """The details by ascending `seq`, at most `size` at a time; nothing else is held."""
        with closing(self.reading_cells()) as reading:
            # One row more than asked for: two rows of one seq show even where a page would end.
            rows = reading.rows(FIRST_PAGE, task_id, size + 1)
            while rows:
                _refuse_disorder([row[0] for row in rows])
                yield [row[1:] for row in rows[:size]]
                if len(rows) <= size:
                    return
                rows = reading.rows(NEXT_PAGE, task_id, rows[size - 1][0], size + 1)

    def count(self, task_id: str) -> int:
        """How many details there are, now."""
        with closing(self.reading()) as reading:
            return _count(reading, task_id)

    def tasks(self, project_id: str | None = None, task_id: str | None = None) -> list[BatchTask]:
        """All batch tasks of that project or id, newest first; without either, all there are."""
        with closing(self.reading()) as reading:
            found = reading.rows(LIST, project_id, task_id)
            return [batch_task(row, _count(reading, row[0])) for row in found]

    def by_status(self, task_id: str) -> dict[str, int]:
        """How many details there are of each status that occurs."""
        with closing(self.reading()) as reading:
            return dict(reading.rows(BY_STATUS, task_id))

    def check(self) -> None:
        """Asks something of the details."""
        self.count("0")

    def close(self) -> None:
        """Nothing outlives a question, so there is nothing to let go of."""


class Reading(Protocol):
    """A connection to ask by."""

    def rows(self, sql: str, *values: str | int | None) -> list[tuple[Any, ...]]:
        """All rows of one statement; raises SourceFailed."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


class SqliteReading:
    """A read-only connection that notices when its file is taken away.

    `errors` says, as for `bytes.decode`, what becomes of bytes that are no UTF-8.
    """

    def __init__(self, path: Path, errors: str = "replace") -> None:
        self._path, self._errors = path.absolute(), errors
        self._file = self._identity()
        self._connection = self._connected()

    def rows(self, sql: str, *values: str | int | None) -> list[tuple[Any, ...]]:
        """All rows of one statement, read from the file that stands at the path."""
        try:
            found = self._found(sql, values)
        except sqlite3.Error as error:
            raise self._failure(error) from error
        if self._identity() != self._file:
            raise SourceFailed("The source was replaced while it was read.", passing=False)
        return found

    def close(self) -> None:
        self._connection.close()

    def _connected(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return connection

    def _found(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if not is_no_text(error):
                raise
        return read_anyhow(self._connection.cursor(), sql, values, self._errors)

    def _failure(self, error: sqlite3.Error) -> SourceFailed:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_CANTOPEN and self._may_be_opened():
            # This process has no free descriptor, or the disk no room for what goes with the file.
            return SourceFailed("The source cannot be opened just now.", passing=True)
        # What SQLite says of a statement names tables and columns, never files.
        reason = _PASSING.get(code) or _LASTING.get(code) or str(error)
        return SourceFailed(f"The source cannot be read: {reason}.", passing=code in _PASSING)

    def _may_be_opened(self) -> bool:
        """Is it nobody's permission that is wanting? A reader opens files beside it, too."""
        folder = self._path.parent
        return (
            self._path.is_file() and os.access(self._path, os.R_OK) and os.access(folder, os.W_OK)
        )

    def _identity(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except FileNotFoundError as error:
            raise SourceFailed("The source is not there.", passing=False) from error
        except OSError as error:
            raise SourceFailed(
                f"The source cannot be reached: {error.strerror}.", passing=False
            ) from error
        return status.st_dev, status.st_ino


def _count(reading: Reading, task_id: str) -> int:
    return int(reading.rows(COUNT, task_id)[0][0])


def batch_task(row: tuple[Any, ...], total: int) -> BatchTask:
    """A row of TASKS; raises SourceFailed where it says what no batch task may."""
    task_id, project_id, app_id, name, kind, status, created = row
    if status not in BATCH_STATUSES:
        raise SourceFailed(
            f"batch_tasks.status is '{status}', not one of {', '.join(BATCH_STATUSES)}.",
            passing=False,
        )
    try:
        create_time = utc_text(created or "")
    except ValueError as error:
        raise SourceFailed(f"batch_tasks.create_time: {error}.", passing=False) from error
    return BatchTask(
        task_id, project_id, app_id, name or "", kind or "", status, create_time, total
    )


def _refuse_disorder(seqs: list[Any]) -> None:
    if set(map(type, seqs)) != {int}:
        raise SourceFailed("batch_task_details.seq must be an integer in every row.", passing=False)
    if len(set(seqs)) < len(seqs):
        raise SourceFailed("batch_task_details.seq occurs twice in a batch task.", passing=False)
