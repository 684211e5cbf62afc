"""The embedded SQLite file of the local source: its tables, and one transaction at a time."""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.sources import BATCH_STATUSES, BatchRefused, SourceFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

BUSY_SECONDS = 30.0
SCHEMA_VERSION = 1
# Written into the file's header: a database of somebody's own is never mistaken for ours.
APPLICATION_ID = 0x45585042

_STATUSES = ", ".join(f"'{status}'" for status in BATCH_STATUSES)
SCHEMA = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
    f"""
    CREATE TABLE batch_tasks (
        task_id TEXT NOT NULL PRIMARY KEY,
        project_id TEXT NOT NULL,
        app_id TEXT,
        task_name TEXT NOT NULL,
        task_type TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ({_STATUSES})),
        create_time TEXT NOT NULL
    ) STRICT
    """,
    # No CHECK of the status here: it was half of an import's time, and lines.py has checked it.
    """
    CREATE TABLE batch_task_details (
        seq INTEGER PRIMARY KEY,
        task_id TEXT NOT NULL REFERENCES batch_tasks ON DELETE CASCADE,
        target TEXT NOT NULL,
        status TEXT NOT NULL,
        output TEXT,
        error_code TEXT,
        error_msg TEXT
    ) STRICT
    """,
    "CREATE INDEX batch_task_details_in_order ON batch_task_details (task_id, seq)",
)


_HALF = re.compile("[\ud800-\udfff]")

_NOT_OURS = (
    "The source is a database of your own: it is read and never changed; "
    "change it with the program it belongs to."
)


class Torn(str):
    """A text with halves of surrogate pairs, each of which is stored as a byte that is no UTF-8.

    Such a byte is what the workbook mends and counts. It takes a statement that casts to TEXT.
    """

    __slots__ = ()

    @classmethod
    def or_whole(cls, text: str) -> str:
        """The text, torn only where it is."""
        return cls(text) if _HALF.search(text) else text

    def __conform__(self, _: object) -> bytes:
        """As `sqlite3` asks for it."""
        return _HALF.sub("\udcff", self).encode("utf-8", "surrogateescape")


class Foreign:
    """A database of somebody's own, of another kind than ours: it takes no change."""

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Raises BatchRefused."""
        raise BatchRefused(_NOT_OURS)

    def close(self) -> None:
        """Nothing was opened."""


class Embedded:
    """An open file. A database that was not made here is left as it is, and takes no change."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BatchRefused(f"The source's folder: {error.strerror}.") from error
        with refusing():
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk when it ends well, and nothing of it when it does not."""
        with refusing():
            self._require_ours()
            with self._transaction():
                yield self._connection

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        if self._is_empty():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._create()

    def _create(self) -> None:
        with self._transaction():
            # Another process may have made the tables since they were last looked for.
            if self._is_empty():
                for statement in SCHEMA:
                    self._connection.execute(statement)

    def _is_empty(self) -> bool:
        return self._number("SELECT count(*) FROM sqlite_schema") == 0

    def _require_ours(self) -> None:
        if self._number("PRAGMA application_id") != APPLICATION_ID:
            raise BatchRefused(_NOT_OURS)
        if self._number("PRAGMA user_version") != SCHEMA_VERSION:
            raise BatchRefused("The source was made by another version of export-tasks.")

    def _number(self, sql: str) -> int:
        return int(self._connection.execute(sql).fetchone()[0])


@contextmanager
def refusing() -> Iterator[None]:
    """Turns what reading and SQLite raise into BatchRefused, in words."""
    try:
        yield
    except SourceFailed as error:
        raise BatchRefused(str(error)) from error
    except sqlite3.Error as error:
        busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        reason = "another program is writing to it; try again" if busy else str(error)
        raise BatchRefused(f"The source cannot be used: {reason}.") from error
    except UnicodeEncodeError as error:
        raise BatchRefused("An argument is not valid Unicode text.") from error
