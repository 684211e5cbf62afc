"""Rows as a projection sees them: by key, changed here first, stored by whoever drives it."""

from __future__ import annotations

from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from projections.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlite_utils import Database

    Row = dict[str, Any]
    Key = tuple[Any, ...]
    Find = Callable[..., Row | None]


_UNCHANGED: Row = {}


class Changes:
    """What events changed, over rows that `find` looks up: in a table, or in a fold's memory.

    `position` is that of the event at hand. Changes can be stacked, so that an event that cannot
    be applied leaves nothing behind.
    """

    may_be_frozen: bool
    """False as long as nothing is in the table `quarantine`: then nobody need look."""

    def __init__(self, find: Find, position: int = 0) -> None:
        self._find = find
        self._below: Mapping[tuple[str, Key], Row | None] = {}
        self.position = position
        self.rows: dict[tuple[str, Key], Row | None] = {}
        self._unchecked: list[tuple[str, Row]] = []
        self.may_be_frozen = find is not nothing

    def get(self, table: str, *key: Any) -> Row | None:
        """A row as changed so far; not to be altered, but replaced by `put`."""
        row = self.rows.get((table, key), _UNCHANGED)
        if row is _UNCHANGED:
            row = self._below.get((table, key), _UNCHANGED)
        return self._find(table, *key) if row is _UNCHANGED else row

    def on_top(self) -> Changes:
        """Changes of events on top of these, one after the other: each `begin`s and is taken."""
        step = Changes(self._find)
        step._below, step.may_be_frozen = self.rows, self.may_be_frozen
        return step

    def begin(self, position: int) -> None:
        """Forgets what there is, for the event at a position."""
        self.position = position
        self.rows.clear()
        self._unchecked.clear()

    def put(self, table: str, row: Row) -> None:
        """A whole row, new or instead of the one with its key."""
        self.rows[table, _KEYS[table](row)] = row
        self._unchecked.append((table, row))

    def alter(self, table: str, row: Row, **columns: Any) -> None:
        """Other values in some columns, not of the key, of a row that `get` gave."""
        self.rows[table, _KEYS[table](row)] = {**row, **columns}
        self._unchecked.append((table, columns))

    def add(self, table: str, row: Row, **more: int) -> None:
        """So much more in some columns, not of the key, of a row that `get` gave."""
        row = row.copy()
        for column, by in more.items():
            row[column] += by
        self.rows[table, _KEYS[table](row)] = row

    def delete(self, table: str, *key: Any) -> None:
        """No row with this key any more."""
        self.rows[table, key] = None

    def check(self) -> None:
        """Refuses what the tables would not store.

        Raises:
            TypeError, UnicodeEncodeError: a value that does not fit its column.
        """
        for table, values in self._unchecked:
            kinds = TABLES[table].columns
            for column, value in values.items():
                if value is None and column not in TABLES[table].key:
                    continue
                kind = type(value)
                if kind is not kinds[column] or (kind is str and not value.isascii()):
                    _check(table, column, kinds[column], value)

    def take(self, changes: Changes) -> None:
        """Makes another's changes, stacked on these, one's own."""
        self.rows.update(changes.rows)

    def store(self, database: Database) -> None:
        """Writes every change; the caller's transaction makes them one."""
        store(database, self.rows)


def store(database: Database, rows: Mapping[tuple[str, Key], Row | None]) -> None:
    """Writes rows, and removes those that are None."""
    kept: dict[str, list[Row]] = {}
    gone: dict[str, list[Key]] = {}
    for (table, key), row in rows.items():
        if row is None:
            gone.setdefault(table, []).append(key)
        else:
            kept.setdefault(table, []).append(row)
    for table, some in kept.items():
        database.conn.executemany(_replacing(table), map(_VALUES[table], some))
    for table, keys in gone.items():
        statement = f"DELETE FROM {table} WHERE {_matches(table)}"  # noqa: S608 (names are ours)
        database.conn.executemany(statement, keys)


def nothing(table: str, *key: Any) -> Row | None:
    """Finds no row: where a fold begins."""
    del table, key
    return None


def stored_in(database: Database) -> Find:
    """Finds rows as they stand in the tables; each is read once, so keep it for one transaction."""
    found: dict[tuple[str, Key], Row | None] = {}

    def find(table: str, *key: Any) -> Row | None:
        if (table, key) not in found:
            row = database.conn.execute(_selecting(table), key).fetchone()
            found[table, key] = dict(row) if row else None
        return found[table, key]

    return find


@cache
def _selecting(table: str) -> str:
    return f"SELECT * FROM {table} WHERE {_matches(table)}"  # noqa: S608 (names are ours)


@cache
def _replacing(table: str) -> str:
    """Writes whole rows. (An upsert of `sqlite-utils` reads the schema anew at every call.)"""
    columns = TABLES[table].columns
    values = ", ".join("?" for _ in columns)
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608


def _key_of(columns: tuple[str, ...]) -> Callable[[Row], Key]:
    if len(columns) > 1:
        return itemgetter(*columns)
    (column,) = columns
    return lambda row: (row[column],)


_VALUES = {name: itemgetter(*table.columns) for name, table in TABLES.items()}
_KEYS = {name: _key_of(table.key) for name, table in TABLES.items()}


def _matches(table: str) -> str:
    return " AND ".join(f"{column} = ?" for column in TABLES[table].key)


def _check(table: str, column: str, kind: type, value: Any) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{table}.{column} cannot be {value!r}")
    str(value).encode()  # half of a surrogate pair goes into no table
