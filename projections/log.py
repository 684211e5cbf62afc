"""The event log: the library's recorder over an event store named by a URL."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Literal

from eventsourcing.persistence import IntegrityError, InterfaceError, OperationalError
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteCursor,
    SQLiteDatastore,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.conditions import OwnerId

BUSY_SECONDS = 5.0
TURN_SECONDS = 0.25
STRIPES = 256
_TURN_PAUSE = 0.002
_SCHEME = "sqlite:///"


class CannotOpen(Exception):
    """The event store named by a URL cannot be opened; the text says which and why."""


class OpenLog:
    """An open event store; `turns` lets a hot owner's writers take turns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._store = SQLiteStore(path)
        self.recorder = SQLiteApplicationRecorder(self._store)
        self.turns = Turns(path.with_name(path.name + "-turns"))

    def create(self) -> None:
        """Makes the file, for its owner alone, and the tables, where they are missing."""
        self.path.touch(mode=0o600)
        self.recorder.create_table()

    def close(self) -> None:
        """Closes every connection that is not in use."""
        self._store.close()


def open_log(url: str) -> OpenLog:
    """Opens the event store, and makes its tables where they are missing.

    Raises:
        CannotOpen: another kind of URL, or a file that cannot be made or read.
    """
    path = event_file(url)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = OpenLog(path)
        log.create()
    except (OSError, OperationalError, InterfaceError) as error:
        raise CannotOpen(f"The event store '{url}' cannot be opened: {error}.") from error
    return log


def event_file(url: str) -> Path:
    """The file of an event store, which need not be there.

    Raises:
        CannotOpen: another kind of URL.
    """
    if not url.startswith(_SCHEME):
        raise CannotOpen(f"The event store '{url}' is not of a known kind: use sqlite:///PATH.")
    return Path(url.removeprefix(_SCHEME))


class SQLiteStore(SQLiteDatastore):
    """The library's datastore with connections of our own making.

    The library's pool hands out reading connections through the semaphore that writers wait at,
    and caches a single statement. Here readers never wait, and a writer takes the write lock at
    once, so that its transaction cannot fail half-way for another's, but only wait, at most
    `busy_seconds`. With `read_only` nothing can be written. `synchronous` is SQLite's: FULL has a
    write on disk when it ends, after NORMAL a power loss may take the last ones.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        busy_seconds: float = BUSY_SECONDS,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
    ) -> None:
        self._path = path
        self._read_only = read_only
        self._busy_seconds = busy_seconds
        self._synchronous = synchronous
        self._idle: deque[tuple[tuple[int, int], SQLiteConnection]] = deque()
        self._writing = Lock()
        super().__init__(str(path))

    @contextmanager
    def get_connection(self, *, commit: bool) -> Iterator[SQLiteConnection]:
        """A connection of this call's alone; `commit` is the library's word for writing."""
        del commit
        file = self._file()
        connection = self._reuse(file) or self._connect()
        try:
            yield connection
            if self._file() != file:
                raise OperationalError("another file was put in the event store's place")
        except BaseException:
            # At once: an error that is kept would keep the connection's cursor, and its lock.
            connection.rollback()
            connection.close()
            raise
        self._idle.append((file, connection))

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        """One transaction: a write, or a read of one moment."""
        if not commit:
            with self.get_connection(commit=False) as connection, _translated():
                yield connection.cursor()
            return
        if not self._writing.acquire(timeout=self._busy_seconds):
            raise OperationalError("another writer of this process holds the event store")
        try:
            with self.get_connection(commit=True) as connection, _translated():
                cursor = connection.cursor()
                cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                connection.commit()
        finally:
            self._writing.release()

    def _file(self) -> tuple[int, int]:
        """Which file is at the path: what an unlinked one holds, nobody finds again."""
        with _translated():
            status = self._path.stat()
        return status.st_dev, status.st_ino

    def _reuse(self, file: tuple[int, int]) -> SQLiteConnection | None:
        while self._idle:
            known, connection = self._idle.pop()
            if known == file:
                return connection
            connection.close()
        return None

    def close(self) -> None:
        """Closes every connection that is not in use."""
        while self._idle:
            self._idle.pop()[1].close()
        super().close()

    def _connect(self) -> SQLiteConnection:
        with _translated():
            raw = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rw'}",
                uri=True,
                timeout=self._busy_seconds,
                isolation_level=None,
                cached_statements=128,
                check_same_thread=False,
            )
            try:
                if not self._read_only:
                    raw.execute("PRAGMA journal_mode=WAL")
                    raw.execute(f"PRAGMA synchronous={self._synchronous}")
            except sqlite3.Error:
                raw.close()
                raise
            raw.row_factory = sqlite3.Row
        return SQLiteConnection(raw, max_age=None)


@contextmanager
def _translated() -> Iterator[None]:
    """Lets SQLite's errors out as the library's, which the journal knows."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(error) from error
    except (sqlite3.Error, OSError) as error:
        raise OperationalError(error) from error


class Turns:
    """Lets one owner's writers take turns over all processes of a machine, for fairness alone.

    The version check keeps the rules; so whoever waits longer than `TURN_SECONDS` goes on without
    (a stopped process may hold the lock).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def __call__(self, owner: OwnerId) -> Iterator[None]:
        """Waits for the owner's turn, at most `TURN_SECONDS`."""
        stripe = blake2b("/".join(owner).encode(), digest_size=1).hexdigest()
        with ExitStack() as held:
            with suppress(OSError):  # a turn is fairness, not worth a refusal
                descriptor = os.open(self._folder / stripe, os.O_RDWR | os.O_CREAT, 0o600)
                held.callback(os.close, descriptor)
                _lock(descriptor)
            yield


def _lock(descriptor: int) -> None:
    until = monotonic() + TURN_SECONDS
    while monotonic() < until:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(_TURN_PAUSE)
    return None
