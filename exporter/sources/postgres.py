"""Reads batch tasks from two tables or views of a PostgreSQL database, and never writes to it."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from exporter.sources import SourceFailed
from exporter.sources.sql import SqlSource
from projections.stores.patience import LONGER, PatientConnection

if TYPE_CHECKING:
    from collections.abc import Mapping

STATEMENT_SECONDS = 30
LOCK_SECONDS = 5

_CONNECTION = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "application_name": "export-tasks",
}
"""What the URL may say otherwise."""

_PASSING: Mapping[type[psycopg.Error], str] = {
    errors.QueryCanceled: "it takes too long to answer",
    errors.LockNotAvailable: "it is locked by another program",
    errors.DeadlockDetected: "it is locked by another program",
    errors.SerializationFailure: "it has changed meanwhile",
    errors.OutOfMemory: "there is no room to sort its rows",
    errors.DiskFull: "there is no room to sort its rows",
}

_REFUSED = {
    r"pg_hba\.conf": "its pg_hba.conf does not let this user in from here",
    r"authentication failed|no password supplied|role .* does not exist|not permitted to log in"
    r"|permission denied for database": "the database refuses the user or the password",
    r"database .* does not exist": "there is no database of that name",
    r"does not support SSL|\bcertificate\b": "the TLS that its address asks for cannot be had",
}
"""What is said of a connection that is not let in: there is no SQLSTATE then, to tell it by."""


class PostgresSource(SqlSource):
    """A source over `batch_tasks` and `batch_task_details`, as `docs/source.md` describes them.

    Every question has a connection of its own, and every statement of it a transaction that can
    only read, so that no long read holds back the vacuum of whoever writes there.
    """

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is none of a database's."""
        try:
            self._address = {**_CONNECTION, **conninfo_to_dict(url), "client_encoding": "UTF8"}
        except psycopg.ProgrammingError:  # it may tell the password
            raise ValueError("the source is not named as libpq names a database") from None

    def reading(self) -> PostgresReading:
        """A connection to ask by; to be closed."""
        return PostgresReading(self._address)

    def reading_cells(self) -> PostgresReading:
        """The same: a database gives no bytes that are no UTF-8."""
        return self.reading()


class PostgresReading:
    """A connection that can only read, and waits no longer for a database that stands still."""

    def __init__(self, address: Mapping[str, Any]) -> None:
        try:
            self._connection = PatientConnection.connect(
                **address,
                autocommit=True,
                prepare_threshold=None,  # a pooler may stand between
                cursor_factory=psycopg.RawCursor,
            )
            self._connection.patience = STATEMENT_SECONDS + LONGER
            self._connection.execute(_session())
        except psycopg.Error as error:
            raise _refusal(error) or _failure(error) from error

    def rows(self, sql: str, *values: str | int | None) -> list[tuple[Any, ...]]:
        """All rows of one statement; in it `?` is the next value, `?2` the second."""
        try:
            cursor = self._connection.cursor(row_factory=tuple_row)
            return cursor.execute(_numbered(sql), values).fetchall()
        except psycopg.Error as error:
            raise _failure(error) from error

    def close(self) -> None:
        """Ends it."""
        self._connection.close()


def _session() -> bytes:
    """Whatever is set for the user or by the URL: nothing here writes, and times have one form."""
    return (
        b"SET default_transaction_read_only = on; SET timezone = 'UTC'; SET datestyle = 'ISO';"
        b" SET statement_timeout = %d; SET lock_timeout = %d"
        % (STATEMENT_SECONDS * 1000, LOCK_SECONDS * 1000)
    )


@lru_cache
def _numbered(sql: str) -> bytes:
    numbers = count(1)
    return re.sub(r"\?(\d*)", lambda found: f"${found[1] or next(numbers)}", sql).encode()


def _refusal(error: psycopg.Error) -> SourceFailed | None:
    """A lasting failure where the database is there and lets nobody in; as 401 upstream is one.

    Of several hosts it is enough that one refuses: the others, too, are asked as that user.
    """
    for pattern, reason in _REFUSED.items():
        if re.search(pattern, str(error)):
            return SourceFailed(f"The source cannot be read: {reason}.", passing=False)
    return None


def _failure(error: psycopg.Error) -> SourceFailed:
    """In words that name tables and columns, never machines, people or what rows hold."""
    reason = next((text for kind, text in _PASSING.items() if isinstance(error, kind)), None)
    if reason is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        reason = "the database is away"
    if reason:
        return SourceFailed(f"The source cannot be read: {reason}.", passing=True)
    about = isinstance(error, psycopg.ProgrammingError)  # others may tell what rows hold
    told = about and error.diag.message_primary
    told = told or f"the database cannot answer (SQLSTATE {error.sqlstate})"
    return SourceFailed(f"The source cannot be read: {told}.", passing=False)
