"""Event copies: a log with its vault, copied into another store byte for byte and compared."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import SQLiteApplicationRecorder

from api.access import vault_tables
from api.audit.stored import Row, SQLiteEvents, leaves
from api.upkeep.copies import CopyFailed
from domain.refusals import Refusal
from exporter.disk import create_private
from projections.seal import Seal
from projections.stores.sqlite import SQLiteStore
from projections.stores.whole_file import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.audit.stored import Events

    Advance = Callable[[int, float], object]

_INSERT = (
    "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state)"
    " VALUES (?, ?, ?, ?, ?)"
)


class NotThePrefix(Refusal):
    """The events of a store are not the first ones of another."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A copied log: how many events there are now, how many of them were added, and the root."""

    events: int
    added: int
    root: str


def silent(events: int, share: float) -> None:
    """For whoever does not want to know how many events are done, and what share of all."""


def copy_to_file(events: Events, target: Path, advance: Advance = silent) -> Copied:
    """Makes a file of SQLite's with these events, at their positions, and the vault.

    Read back and compared before this returns; on the disk then.

    Raises:
        CopyFailed: it cannot be written, or is not what was read.
        CannotRead, Unreadable: the events cannot be read.
    """
    create_private(target).close()
    with _copying(target):
        with closing(SQLiteStore(target, synchronous="NORMAL")) as store:
            seal = _fill(store, events, advance)
        settle(target)
    return Copied(seal.count, seal.count, seal.root.hex())


def _fill(store: SQLiteStore, events: Events, advance: Advance) -> Seal:
    """In a call of its own: while a cursor lives, its connection does not let go of the file."""
    SQLiteApplicationRecorder(store).create_table()
    with store.transaction(commit=True) as cursor:
        database = cursor.sqlite_cursor
        done, total = 0, events.count()
        for page in events.pages():
            database.executemany(_INSERT, page)
            done += len(page)
            advance(done, done / total)
        vault_tables.create(database, "sqlite")
        for table in vault_tables.COLUMNS:
            database.executemany(insert(table, "?"), events.beside(table))
        return compare(events, SQLiteEvents(_plain(database)))


def compare(source: Events, target: Events) -> Seal:
    """The tree over all events of the target, which are those of the source, and all of them.

    Position, stream, version, topic and state of every event are compared, and every row of the
    vault.

    Raises:
        CopyFailed: they differ; the text names the first position.
    """
    seal, none = Seal(), list[Row]()
    for page, copied in zip_longest(source.pages(), target.pages(), fillvalue=none):
        if page != copied:
            raise CopyFailed(
                f"The copy differs from position {_first_difference(page, copied)} on."
            )
        seal = seal.grown(leaves(copied))
    for table in vault_tables.COLUMNS:
        if source.beside(table) != target.beside(table):
            raise CopyFailed(f"The copy differs in the table {table}.")
    return seal


def prefix(source: Events, target: Events) -> int:
    """How many events the target has, which must be the first ones of the source.

    Raises:
        NotThePrefix: it has others; the text names the first position.
    """
    count = 0
    theirs = source.pages()
    for page in target.pages():
        expected = next(theirs, [])[: len(page)]
        if page != expected:
            at = _first_difference(expected, page)
            raise NotThePrefix(f"It holds other events than the source, from position {at} on.")
        count += len(page)
    return count


def after(events: Events, count: int) -> Iterator[list[Row]]:
    """All pages behind the first events."""
    for page in events.pages():
        if rest := page[count:]:
            yield rest
        count = max(0, count - len(page))


def insert(table: str, value: str) -> str:
    """What adds a row to a table of the vault."""
    names = vault_tables.COLUMNS[table]
    values = ", ".join([value] * len(names))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"  # noqa: S608


def _first_difference(page: list[Row], copied: list[Row]) -> Any:
    pairs = zip_longest(page, copied)
    one, other = next((a, b) for a, b in pairs if a != b)
    return (one or other)[0]


def _plain(cursor: sqlite3.Cursor) -> sqlite3.Connection:
    """The connection of a transaction, giving rows as tuples."""
    cursor.connection.row_factory = None
    return cursor.connection


@contextmanager
def _copying(target: object) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, PersistenceError) as error:
        raise CopyFailed(f"The events cannot be copied to {target}: {error}.") from error
