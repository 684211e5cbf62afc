"""Any text: what SQLite holds as text and is no UTF-8 is read all the same; it stores anything."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from eventsourcing.sqlite import SQLiteCursor

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_TEXT = "Could not decode to UTF-8"
"""What Python's `sqlite3` says of bytes that are none; it gives no code for it."""


class AnyText(SQLiteCursor):
    """The library's cursor, which reads bytes that are no UTF-8 as halves of surrogate pairs."""

    def execute(self, *asked: Any, **more: Any) -> None:
        """Runs a statement."""
        self._asked = asked
        super().execute(*asked, **more)

    def fetchall(self) -> Any:
        """All rows."""
        try:
            return super().fetchall()
        except sqlite3.OperationalError as error:
            if not is_no_text(error):
                raise
        return read_anyhow(self.sqlite_cursor, *self._asked)


def read(cursor: sqlite3.Cursor, query: str, values: Sequence[Any]) -> list[Any]:
    """All rows of a statement, with texts as `AnyText` reads them."""
    try:
        return cursor.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        if not is_no_text(error):
            raise
    return read_anyhow(cursor, query, values)


def is_no_text(error: sqlite3.OperationalError) -> bool:
    """Has a row failed to be read because a text in it is none?"""
    return str(error).startswith(_NO_TEXT)


def read_anyhow(
    cursor: sqlite3.Cursor, query: str, values: Sequence[Any] = (), errors: str = "surrogateescape"
) -> list[Any]:
    """All rows of a statement, their texts decoded with `errors`: slower than SQLite does it."""
    connection = cursor.connection
    connection.text_factory = lambda stored: stored.decode("utf-8", errors)
    try:
        return cursor.execute(query, values).fetchall()
    finally:
        connection.text_factory = str
