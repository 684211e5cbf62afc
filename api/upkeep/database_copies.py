"""Database copies: a log with its vault, copied into a database of PostgreSQL's, at once."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from api.access import vault_tables
from api.audit.stored_postgres import PostgresEvents
from api.upkeep.copies import Busy, CopyFailed
from api.upkeep.event_copies import Copied, after, compare, insert, prefix, silent
from api.upkeep.schema import create_schema
from projections.shown import shown
from projections.stores.postgres_recorder import LOCK
from projections.stores.postgres_store import connect_unhurried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.audit.stored import Events, Row
    from api.upkeep.event_copies import Advance

    Connection = psycopg.Connection[tuple[Any, ...]]

WRITERS_MOST_SECONDS = 10
"""How long is waited for a writer of the database that is in the midst of it."""

_COPY = (
    "COPY stored_events (notification_id, originator_id, originator_version, topic, state)"
    " FROM STDIN"
)
_NEXT = (
    "SELECT setval(pg_get_serial_sequence('stored_events', 'notification_id'),"
    " max(notification_id)) FROM stored_events HAVING max(notification_id) > 0"
)


def copy_to_database(events: Events, url: str, advance: Advance = silent) -> Copied:
    """Makes a database hold these events, at their positions, and the vault; all, or nothing.

    The database may have the first of these events already: then those that follow are added. One
    transaction, in which all is read back and compared before anybody sees it; no other writer
    comes in between.

    Raises:
        NotThePrefix: it holds other events.
        Busy: somebody is writing to it.
        CopyFailed: it cannot be written, or is not what was read.
        CannotOpen: it cannot be reached.
        CannotRead, Unreadable: the events cannot be read.
    """
    create_schema(url)
    total = events.count()
    with _copying(url), closing(connect_unhurried(url)) as connection:
        target = _alone(connection)
        there = prefix(events, target)
        _add(connection, after(events, there), lambda added: advance(*_pace(there + added, total)))
        connection.execute(_NEXT)
        _fill_vault(connection, events)
        root = compare(events, target).root.hex()
        connection.commit()
    return Copied(total, total - there, root)


def _add(
    connection: Connection, pages: Iterator[list[Row]], advance: Callable[[int], object]
) -> None:
    added = 0
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for page in pages:
            for row in page:
                copy.write_row(row)
            added += len(page)
            advance(added)


def _pace(done: int, total: int) -> tuple[int, float]:
    return done, done / total


def _alone(connection: Connection) -> PostgresEvents:
    connection.execute(f"SET lock_timeout = '{WRITERS_MOST_SECONDS}s'".encode())
    connection.execute("SET LOCAL synchronous_commit = on")
    connection.execute(LOCK)
    return PostgresEvents(connection)


def _fill_vault(connection: Connection, events: Events) -> None:
    with connection.cursor() as cursor:
        for table in reversed(vault_tables.COLUMNS):
            cursor.execute(f"DELETE FROM {table}".encode())  # noqa: S608 (names are ours)
        for table in vault_tables.COLUMNS:
            cursor.executemany(insert(table, "%s").encode(), events.beside(table))


@contextmanager
def _copying(url: str) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        raise Busy(f"Somebody is writing to {shown(url)}.") from error
    except (psycopg.Error, ValueError) as error:
        raise CopyFailed(f"The events cannot be copied to {shown(url)}: {error}.") from error
