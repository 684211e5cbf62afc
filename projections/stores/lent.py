"""Lent: a connection to a file of SQLite's while one call has it, and what its errors become."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from eventsourcing.persistence import IntegrityError, OperationalError

if TYPE_CHECKING:
    from eventsourcing.sqlite import SQLiteConnection

    from projections.stores.sqlite import SQLiteStore


class Lent:
    """A connection while one call has it: a class, as a generator takes longer than most reads."""

    def __init__(self, store: SQLiteStore) -> None:
        self._store = store

    def __enter__(self) -> SQLiteConnection:
        self._file, self._connection = self._store.take()
        return self._connection

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        kept = False
        try:
            if error is None:
                self._store.keep(self._file, self._connection)
                kept = True
        finally:
            if not kept:
                # At once: an error that is kept would keep the connection's cursor, and its lock.
                self._connection.rollback()
                self._connection.close()


class _Translated:
    """Lets SQLite's errors out as the library's, which the journal knows."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.IntegrityError):
            raise IntegrityError(error) from error
        if isinstance(error, (sqlite3.Error, OSError)):
            raise OperationalError(error) from error


TRANSLATED = _Translated()
"""It holds nothing: one does for all, and entering it costs next to nothing."""
