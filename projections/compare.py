"""Compare: tables that were built anew, and the live ones, at the same event and row by row."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from projections.changes import Changes, nothing, stored_in
from projections.fold import PAGE
from projections.position import Position, apply, apply_page, news_since, storable
from projections.schema import TABLES
from projections.tables import BUILDING_KIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eventsourcing.persistence import ApplicationRecorder, Notification
    from sqlite_utils import Database

    from projections.changes import Key, Row
    from projections.fold import Poison
    from projections.seal import Seal
    from projections.tables import ReadTables

DIFFERENCES_SHOWN = 20
_ROWS = 1000
_DAMAGE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""Tables that are missing, or no database: a full disk, say, is another matter."""

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Touch:
    """The last event that changed a row."""

    position: int
    topic: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the live tables had otherwise; None: not at all.

    `by` is the last event that changed it; None: no event did.
    """

    table: str
    live: Row | None
    rebuilt: Row | None
    by: Touch | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many rows differ, the first few of them, and the trees that each side was made of.

    `live` is None where the live tables hold no tree: then that is one of the differences.
    """

    different: int
    differences: list[Difference]
    live: Seal | None
    rebuilt: Seal


def compare(
    recorder: ApplicationRecorder,
    tables: ReadTables,
    rebuilt: Database,
    poisoned: Callable[[Changes], Poison],
) -> Comparison | None:
    """Brings both to the same event, and tells them apart; holds up nobody who reads or writes.

    None where the live tables are damaged or of another log: there is nothing to compare with.
    """
    try:
        with tables.open() as live:
            while apply_page(recorder, live, PAGE):
                pass
            (file,) = (row["file"] for row in live.conn.execute("PRAGMA database_list"))
        with _beside(rebuilt, file):
            return _compare(recorder, rebuilt, poisoned)
    except (sqlite3.DatabaseError, ValueError) as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF not in _DAMAGE:
            raise
        _LOGGER.exception("the live read tables are damaged")
        return None


def _compare(
    recorder: ApplicationRecorder, rebuilt: Database, poisoned: Callable[[Changes], Poison]
) -> Comparison | None:
    """Within one transaction, which sees the live tables as of one moment."""
    at = Position.of(rebuilt.conn.execute("SELECT * FROM live.position").fetchone())
    if news_since(recorder, at, 1) is None:
        return None
    changes = Changes(stored_in(rebuilt))
    poison = poisoned(changes)
    while events := _until(recorder, Position.read(changes), at):
        apply(events, changes, poison)
    changes.store(rebuilt)
    found = [each for table in TABLES for each in _differences(table, rebuilt)]
    first = found[:DIFFERENCES_SHOWN]
    return Comparison(
        len(found), _explained(recorder, first, at), _seal(at), Position.stored(rebuilt).seal
    )


@contextmanager
def _beside(database: Database, file: str) -> Iterator[None]:
    """The live tables as `live` in the same transaction, which is the caller's if it ends well."""
    connection = database.conn
    connection.execute("ATTACH ? AS live", [file])
    connection.execute(f"PRAGMA live.cache_size=-{BUILDING_KIB}")
    try:
        connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    finally:
        connection.execute("DETACH live")


def _seal(at: Position) -> Seal | None:
    try:
        return at.seal
    except ValueError:
        return None


def _until(recorder: ApplicationRecorder, position: Position, at: Position) -> list[Notification]:
    events = news_since(recorder, position, PAGE) or []
    return [event for event in events if event.id <= at.position]


def _differences(table: str, rebuilt: Database) -> list[Difference]:
    if _digest(rebuilt, "main", table) == _digest(rebuilt, "live", table):
        return []
    theirs = _rows_only_in("main", "live", table, rebuilt)
    ours = _rows_only_in("live", "main", table, rebuilt)
    return [Difference(table, ours.get(key), theirs.get(key)) for key in sorted({**ours, **theirs})]


def _digest(database: Database, schema: str, table: str) -> tuple[int, str]:
    """How many rows, and the hash of all of them in the order of their keys."""
    count, digest = 0, sha256()
    kinds = TABLES[table].columns.items()
    # As JSON SQLite writes 15 digits of a number, as a quotation as many as tell it from others.
    values = ", ".join(f"quote({name})" if kind is float else name for name, kind in kinds)
    key = ", ".join(TABLES[table].key)
    cursor = database.conn.cursor()
    cursor.row_factory = None
    cursor.execute(f"SELECT json_array({values}) FROM {schema}.{table} ORDER BY {key}")  # noqa: S608
    while rows := cursor.fetchmany(_ROWS):
        count += len(rows)
        digest.update("\n".join([row[0] for row in rows]).encode())
    return count, digest.hexdigest()


def _rows_only_in(one: str, other: str, table: str, database: Database) -> dict[Key, Row]:
    columns = ", ".join(TABLES[table].columns)
    rows = database.conn.execute(
        f"SELECT {columns} FROM {one}.{table} EXCEPT SELECT {columns} FROM {other}.{table}"  # noqa: S608
    )
    return {tuple(row[name] for name in TABLES[table].key): dict(row) for row in rows}


class _Watch(Changes):
    """A fold that remembers which event changed some rows last."""

    def __init__(self, keys: set[tuple[str, Key]]) -> None:
        super().__init__(nothing)
        self._keys = keys
        self.last: dict[tuple[str, Key], int] = {}

    def take(self, changes: Changes) -> None:
        """Makes another's changes one's own."""
        for key in self._keys & changes.rows.keys():
            row = changes.rows[key] or {}
            self.last[key] = changes.position or row["position"]  # a stream that was frozen
        super().take(changes)


def _explained(
    recorder: ApplicationRecorder, differences: list[Difference], at: Position
) -> list[Difference]:
    """Folds the log once more, where anything differs, to say by which event each row is so."""
    keys = {_key(each) for each in differences}
    if not keys:
        return []
    watch = _Watch(keys)
    while events := _until(recorder, Position.read(watch), at):
        apply(events, watch, lambda *_: None)
    return [
        Difference(
            each.table, each.live, each.rebuilt, _touch(recorder, watch.last.get(_key(each)))
        )
        for each in differences
    ]


def _touch(recorder: ApplicationRecorder, position: int | None) -> Touch | None:
    if not position:
        return None
    (event,) = recorder.select_notifications(position, 1)
    return Touch(event.id, storable(event.topic))


def _key(difference: Difference) -> tuple[str, Key]:
    row: dict[str, Any] = difference.rebuilt or difference.live or {}
    return difference.table, tuple(row[name] for name in TABLES[difference.table].key)
