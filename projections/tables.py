"""The folder of read tables: files of unique names, and which of them is current."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from contextlib import contextmanager, suppress
from secrets import token_hex
from time import time
from typing import TYPE_CHECKING

from sqlite_utils import Database

from projections import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_SECONDS = 5.0
BEING_MADE_SECONDS = 3600.0
"""A file that is not current is a rebuild's, unless it is older than this: then one was killed."""

_POINTER = "current"
_PREFIX = f"read-v{schema.VERSION}-"


class ReadTables:
    """This machine's read tables, shared by its processes; safe for threads.

    Nothing is ever renamed onto a live database: the pointer, a one-line file, is replaced
    atomically, and is looked at before every use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._idle: deque[tuple[str, Database]] = deque()

    @contextmanager
    def open(self) -> Iterator[Database]:
        """The current tables, made empty where there are none; in no transaction."""
        name, database = self._take()
        try:
            yield database
        except BaseException:
            database.conn.close()
            raise
        self._idle.append((name, database))

    def current(self) -> str | None:
        """The name of the current file."""
        try:
            return (self.folder / _POINTER).read_text().strip()
        except FileNotFoundError:
            return None

    @staticmethod
    def is_ours(name: str) -> bool:
        """Is it the name of a file with the tables of this version?"""
        return name.startswith(_PREFIX)

    def new(self) -> tuple[str, Database]:
        """An empty file beside the current one, with a name of its own."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{_PREFIX}{token_hex(8)}.sqlite"
        database = connect(self.folder / name, create=True)
        with database.atomic():
            schema.create(database)
        return name, database

    def point_to(self, name: str) -> None:
        """Makes a file the current one, for every process at its next look."""
        beside = self.folder / f"{_POINTER}-{token_hex(8)}"
        beside.write_text(name)
        beside.replace(self.folder / _POINTER)

    def discard(self, name: str) -> None:
        """Removes a file that is not current; whoever has it open goes on reading it."""
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"{name}{suffix}").unlink(missing_ok=True)

    def tidy(self) -> None:
        """Removes files that are not current, and so old that nobody is just making them."""
        current = self.current()
        for path in self.folder.glob("read-*.sqlite"):
            if path.name != current and time() - path.stat().st_mtime > BEING_MADE_SECONDS:
                self.discard(path.name)

    def close(self) -> None:
        """Closes every connection that is not in use."""
        while self._idle:
            self._idle.pop()[1].conn.close()

    def _take(self) -> tuple[str, Database]:
        """A connection to the current file, which may be another one a moment later."""
        while True:
            name = self._present()
            try:
                return name, self._reuse(name) or connect(self.folder / name)
            except sqlite3.OperationalError:
                if self.current() == name:
                    raise

    def _present(self) -> str:
        name = self.current()
        if name is None:
            return self._begin()
        if self.is_ours(name) and (self.folder / name).exists():
            return name
        if name != self.current():
            return self._present()
        name, database = self.new()
        database.conn.close()
        self.point_to(name)
        return name

    def _begin(self) -> str:
        """Makes the first file; of several processes that try, one wins."""
        name, database = self.new()
        database.conn.close()
        beside = self.folder / f"{_POINTER}-{token_hex(8)}"
        beside.write_text(name)
        try:
            os.link(beside, self.folder / _POINTER)
        except FileExistsError:
            self.discard(name)
        finally:
            beside.unlink()
        return self.current() or name

    def _reuse(self, name: str) -> Database | None:
        with suppress(IndexError):
            while True:
                idle, database = self._idle.pop()
                if idle == name:
                    return database
                database.conn.close()
        return None


def connect(path: Path, *, create: bool = False) -> Database:
    """Opens read tables: losing the last of them to a power cut costs a catch-up, no more."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        cached_statements=128,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return Database(connection, execute_plugins=False, recursive_triggers=False)
