"""The write lock of a SQLite file, taken in a way that lets several processes have it in turn."""

from __future__ import annotations

import sqlite3
from random import random
from time import monotonic, sleep

BUSY_SECONDS = 5.0
"""How long whoever writes, or reads, waits for others, unless told otherwise."""

CACHE_KIB = 512
"""How much of a file SQLite may keep in memory for each connection; the machine keeps the rest."""

PAUSE_SECONDS = 0.001
"""Between two tries, on average."""


def begin(connection: sqlite3.Connection, seconds: float = BUSY_SECONDS) -> None:
    """Begins a transaction that can write from its first moment, after so many seconds at most.

    SQLite itself sleeps ever longer between its tries, up to a tenth of a second: among several
    processes that write, who has waited longest would come last.

    Raises:
        sqlite3.OperationalError: others had the lock all that time, or the file cannot be used.
    """
    until = monotonic() + seconds
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while not _has_begun(connection, last=monotonic() >= until):
            sleep(random() * 2 * PAUSE_SECONDS)  # noqa: S311 (so that no two keep step)
    finally:
        connection.execute(f"PRAGMA busy_timeout={round(seconds * 1000)}")


def _has_begun(connection: sqlite3.Connection, *, last: bool) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
