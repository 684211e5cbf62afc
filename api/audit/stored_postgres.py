"""Stored in PostgreSQL: the event store as an auditor reads it, in one snapshot, never written to.

The rows are what they are from a file: a stream is 32 hexadecimal digits, a state its bytes.
"""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.errors import DataCorrupted, IndexCorrupted, UndefinedTable

from api.audit.stored import PAGE, CannotRead, NothingStored, Unreadable, is_stream, select
from projections.shown import shown
from projections.stores.postgres_store import connect_unhurried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.audit.stored import Row

    Connection = psycopg.Connection[tuple[Any, ...]]

_STREAM = "encode(uuid_send(originator_id), 'hex')"
_FIELDS = f"notification_id, {_STREAM}, originator_version, topic, state"
_ROWS = f"SELECT {_FIELDS} FROM stored_events"  # noqa: S608 (names are ours)
_COUNT = "SELECT count(*) FROM stored_events"
_PAGES = f"{_ROWS} ORDER BY notification_id"
_AT = f"{_PAGES} LIMIT 1 OFFSET %s"
_OF_STREAM = f"{_ROWS} WHERE originator_id = %s::uuid ORDER BY originator_version"
_FIRST, _LAST = f"{_OF_STREAM} LIMIT 1", f"{_OF_STREAM} DESC LIMIT 1"
_GAPS = (
    f"SELECT {_STREAM}, max(originator_version) FROM stored_events "  # noqa: S608
    "GROUP BY originator_id HAVING count(*) != max(originator_version) LIMIT %s"
)


class PostgresEvents:
    """The events of a database, as of one moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pages(self) -> Iterator[list[Row]]:
        """Every event in the order of commits, which is that of the positions.

        Raises:
            Unreadable: the database is damaged behind what was read.
            CannotRead: it cannot be read, for another reason.
        """
        with _told(), self._connection.cursor("events", binary=True) as rows:
            rows.execute(_PAGES)
            while page := rows.fetchmany(PAGE):
                yield page

    def at(self, rank: int) -> Row | None:
        """The event of a rank, counted from 0; None where there are not so many."""
        return self._one(_AT, rank)

    def first(self, stream: Any) -> Row | None:
        """The first event of a stream."""
        return self._one(_FIRST, stream) if is_stream(stream) else None

    def last(self, stream: Any) -> Row | None:
        """The last event of a stream."""
        return self._one(_LAST, stream) if is_stream(stream) else None

    def count(self) -> int:
        """How many there are."""
        with _told():
            return int(self._connection.execute(_COUNT).fetchone()[0])  # type: ignore[index]

    def gaps(self, most: int) -> list[tuple[str, int]]:
        """Streams in which a version is missing, with their last one."""
        with suppress(psycopg.Error), self._connection.transaction():
            return self._connection.execute(_GAPS, [most]).fetchall()
        return []

    def beside(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a table of the vault; none where there is no such table."""
        with _told(), suppress(UndefinedTable), self._connection.transaction():
            return self._connection.execute(select(table).encode()).fetchall()
        return []

    def _one(self, query: str, value: Any) -> Row | None:
        # In a savepoint: after an error the snapshot would be lost.
        with suppress(psycopg.Error), self._connection.transaction():
            row: Row | None = self._connection.execute(
                query.encode(), [value], binary=True
            ).fetchone()
            return row
        return None


@contextmanager
def opened(url: str) -> Iterator[PostgresEvents]:
    """The events of the database that a URL names, read-only, as of one moment.

    Raises:
        NothingStored: there is none in it.
        CannotRead: it cannot be reached or read.
    """
    try:
        connection = connect_unhurried(url)
    except psycopg.ProgrammingError:  # its text may tell the password
        raise CannotRead(f"{shown(url)} is not named as libpq names a database.") from None
    except psycopg.Error as error:
        raise CannotRead(f"{shown(url)} cannot be read: {error}") from error
    with closing(connection):
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with _told():
            try:
                connection.execute("SELECT FROM stored_events LIMIT 0")
            except UndefinedTable as error:
                raise NothingStored(f"There is no event store in {shown(url)}.") from error
        yield PostgresEvents(connection)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (DataCorrupted, IndexCorrupted) as error:
        raise Unreadable(str(error)) from error
    except psycopg.Error as error:
        raise CannotRead(f"the event store cannot be read: {error}") from error
