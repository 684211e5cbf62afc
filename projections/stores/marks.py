"""Marks: has anything been committed to a SQLite file since the last look, for next to nothing."""

from __future__ import annotations

import os
import sqlite3
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Mark(NamedTuple):
    """Another one after every commit, of whichever process, and for every other file."""

    file: tuple[int, int]
    written: tuple[int, int]
    connection: int
    commits: int


class Marks:
    """Looks at a file's shared memory; safe for threads. Raises what `sqlite3` and `os` raise."""

    def __init__(self, path: Path) -> None:
        self._path, self._uri = str(path), path.absolute().as_uri() + "?mode=rw"
        self._looking = Lock()
        self._connection: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._connections = 0

    def now(self) -> Mark:
        """The file's mark."""
        with self._looking:
            status = os.stat(self._path)  # noqa: PTH116 (once a request)
            file = status.st_dev, status.st_ino
            connection = self._to(file)
            (commits,) = connection.execute("PRAGMA data_version").fetchone()
            # The file itself too: what is copied over it, SQLite does not know of.
            written = status.st_size, status.st_mtime_ns
            return Mark(file, written, self._connections, commits)

    def close(self) -> None:
        """Lets go of the file."""
        with self._looking:
            self._let_go()

    def _to(self, file: tuple[int, int]) -> sqlite3.Connection:
        """A connection of its own, as `data_version` tells of others' commits alone."""
        if self._connection is None or self._file != file:
            self._let_go()
            self._connection = sqlite3.connect(
                self._uri, uri=True, isolation_level=None, check_same_thread=False
            )
            self._file, self._connections = file, self._connections + 1
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
