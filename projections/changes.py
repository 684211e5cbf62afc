"""Rows as a projection sees them: by key, changed here first, stored by whoever drives it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from projections.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    Row = dict[str, Any]
    Key = tuple[Any, ...]
    Find = Callable[..., Row | None]


class Changes:
    """What events changed, over rows that `find` looks up: in a table, or in a fold's memory.

    `position` is that of the event at hand. Changes can be stacked, so that an event that cannot
    be applied leaves nothing behind.
    """

    def __init__(self, find: Find, position: int = 0) -> None:
        self._find = find
        self.position = position
        self.rows: dict[tuple[str, Key], Row | None] = {}

    def get(self, table: str, *key: Any) -> Row | None:
        """A row as changed so far; not to be altered, but replaced by `put`."""
        if (table, key) in self.rows:
            return self.rows[table, key]
        return self._find(table, *key)

    def put(self, table: str, row: Row) -> None:
        """A whole row, new or instead of the one with its key."""
        self.rows[table, tuple(row[column] for column in TABLES[table].key)] = row

    def delete(self, table: str, *key: Any) -> None:
        """No row with this key any more."""
        self.rows[table, key] = None

    def check(self) -> None:
        """Refuses what the tables would not store.

        Raises:
            TypeError, UnicodeEncodeError: a value that does not fit its column.
        """
        for (table, _), row in self.rows.items():
            for column, kind in TABLES[table].columns.items() if row else ():
                value = row[column] if row else None
                if type(value) is not kind or (isinstance(value, str) and not value.isascii()):
                    _check(table, column, kind, value)

    def take(self, changes: Changes) -> None:
        """Makes another's changes, stacked on these, one's own."""
        self.rows.update(changes.rows)

    def store(self, database: Database) -> None:
        """Writes every change; the caller's transaction makes them one."""
        kept: dict[str, list[Row]] = {}
        gone: dict[str, list[Key]] = {}
        for (table, key), row in self.rows.items():
            if row is None:
                gone.setdefault(table, []).append(key)
            else:
                kept.setdefault(table, []).append(row)
        for table, rows in kept.items():
            database.conn.executemany(_replacing(table), rows)
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
    values = ", ".join(f":{column}" for column in columns)
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608


def _matches(table: str) -> str:
    return " AND ".join(f"{column} = ?" for column in TABLES[table].key)


def _check(table: str, column: str, kind: type, value: Any) -> None:
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{table}.{column} cannot be {value!r}")
    str(value).encode()  # half of a surrogate pair goes into no table
