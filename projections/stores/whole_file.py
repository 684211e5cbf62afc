"""Whole file: a database of SQLite's as a file that is looked at, copied and put elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from projections.pointers import sync
from projections.write_lock import BUSY_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

_BESIDE = ("-wal", "-shm", "-journal")


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def settle(path: Path) -> None:
    """Brings a database that nobody has open into its one file, and that onto the disk.

    It has no write-ahead log until it is served again, so that it can be read from a medium that
    cannot be written to.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    sync(path)


def beside(path: Path) -> list[Path]:
    """What SQLite may keep beside it: with another file in its place it would do damage."""
    return [path.with_name(path.name + suffix) for suffix in _BESIDE]
