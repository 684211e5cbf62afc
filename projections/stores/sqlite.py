"""An event store in a file of SQLite's, for all processes of one machine."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, cast

from eventsourcing.persistence import InterfaceError, OperationalError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteCursor,
    SQLiteDatastore,
)

from domain.journal import utc_now
from projections.log import BEFORE_ALL, CannotOpen, Recorder, Stored
from projections.shown import shown
from projections.stores.any_text import AnyText, read
from projections.stores.file_turns import Turns
from projections.stores.lent import TRANSLATED, Lent
from projections.stores.marks import Mark, Marks
from projections.write_lock import BUSY_SECONDS, CACHE_KIB, begin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from eventsourcing.persistence import Notification

    _File = tuple[int, int]

STREAMS_REMEMBERED = 1024
_SCHEME = "sqlite:///"
_EVENTS = "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events"
_NEXT = f"{_EVENTS} WHERE rowid > ? ORDER BY rowid LIMIT ?"
_OF_STREAM = (
    f"{_EVENTS} WHERE originator_id = ? AND rowid <= ? AND rowid > ?"
    " ORDER BY originator_version DESC LIMIT ?"
)
_LAST = (
    "SELECT originator_version, topic, state FROM stored_events WHERE originator_id = ?"
    " ORDER BY originator_version DESC LIMIT 1"
)
_TOPICS = "SELECT topic, min(rowid) FROM stored_events GROUP BY topic"
_LAST_ALONE = {"desc": True, "limit": 1}


class SQLiteLog:
    """The log in a file; its times are those of the machine's clock."""

    kind = "sqlite"
    clock = staticmethod(utc_now)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"{_SCHEME}{path}"
        self._store, self._marks = SQLiteStore(path), Marks(path)
        self.recorder = SQLiteRecorder(self._store)
        self.turns = Turns(path.with_name(path.name + "-turns"))

    def create(self) -> None:
        """Makes the file, for its owner alone, and the tables, where they are missing."""
        self.path.touch(mode=0o600)
        self.recorder.create_table()

    def mark(self) -> Mark:
        """Another one after every commit."""
        with TRANSLATED:
            return self._marks.now()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        """Reads of tables beside the log, each statement as of its own moment."""
        with self._store.transaction(commit=False) as cursor:
            yield cursor.sqlite_cursor

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """A write to tables beside the log, alone from its beginning."""
        with self._store.transaction(commit=True) as cursor:
            yield cursor.sqlite_cursor

    def close(self) -> None:
        """Closes every connection that is not in use."""
        self._marks.close()
        self._store.close()


def open_sqlite(url: str) -> SQLiteLog:
    """Opens the event store in a file, and makes what is missing.

    Raises:
        CannotOpen: the file cannot be made or read.
    """
    path = event_file(url)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = SQLiteLog(path)
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
        raise CannotOpen(f"The event store '{shown(url)}' is no file: sqlite:///PATH is.")
    return Path(url.removeprefix(_SCHEME))


class SQLiteRecorder(SQLiteApplicationRecorder, Recorder):
    """The library's recorder, reading the log in half its time: every read table is made of it."""

    datastore: SQLiteStore

    def __init__(self, datastore: SQLiteStore) -> None:
        super().__init__(datastore)
        self._stream = lru_cache(STREAMS_REMEMBERED)(self.convert_originator_id)

    def convert_originator_id(self, originator_id: str) -> UUID | str:
        """The stream's id; where a damaged row holds none, what it holds."""
        try:
            return super().convert_originator_id(originator_id)
        except (TypeError, ValueError):
            return originator_id

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The next events, at most `limit`, as the library's recorder gives them."""
        if stop is not None or topics:
            return super().select_notifications(
                start, limit, stop, topics, inclusive_of_start=inclusive_of_start
            )
        after = BEFORE_ALL if start is None else start - inclusive_of_start
        return self._read(_NEXT, after, limit)

    def select_events(self, originator_id: UUID | str, **selection: Any) -> Sequence[StoredEvent]:
        """A stream's events, as the library's recorder gives them; the last one sooner."""
        if selection != _LAST_ALONE or isinstance(originator_id, str):
            return super().select_events(originator_id, **selection)
        rows = self.datastore.rows(_LAST, (originator_id.hex,))
        return [StoredEvent(originator_id, *row) for row in rows]

    def events_of(
        self, stream: UUID, until: int, after: int = 0, newest: int = -1
    ) -> list[Notification]:
        """A stream's events up to a position, oldest first; of many only the newest."""
        return self._read(_OF_STREAM, stream.hex, until, after, newest)[::-1]

    def _read(self, query: str, *values: str | int) -> list[Notification]:
        known = self._stream
        events = [
            Stored(at, known(stream), version, topic, state)
            for at, stream, version, topic, state in self.datastore.rows(query, values)
        ]
        return cast("list[Notification]", events)

    def topics(self) -> dict[str, int]:
        """Every topic that stands in the log, and where it does first. Reads all of it."""
        return dict(self.datastore.rows(_TOPICS))


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
        self._path, self._name = path, str(path)
        self._read_only = read_only
        self._busy_seconds = busy_seconds
        self._synchronous = synchronous
        self._idle: deque[tuple[_File, SQLiteConnection]] = deque()
        self._writing = Lock()
        super().__init__(self._name)

    def get_connection(self, *, commit: bool) -> Lent:  # type: ignore[override]
        """A connection of this call's alone; `commit` is the library's word for writing."""
        del commit
        return Lent(self)

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        """One transaction to write in; or, to read, none: each statement is of its own moment.

        A read that lasted would hold back the checkpoints of whoever writes.
        """
        if not commit:
            with self.get_connection(commit=False) as connection, TRANSLATED:
                yield AnyText(connection.cursor().sqlite_cursor)
            return
        if not self._writing.acquire(timeout=self._busy_seconds):
            raise OperationalError("another writer of this process holds the event store")
        try:
            with self.get_connection(commit=True) as connection, TRANSLATED:
                cursor = connection.cursor()
                begin(cursor.sqlite_cursor.connection, self._busy_seconds)
                yield cursor
                connection.commit()
        finally:
            self._writing.release()

    def rows(self, query: str, values: Sequence[str | int] = ()) -> list[tuple[Any, ...]]:
        """What a statement reads, as of its own moment."""
        with self.get_connection(commit=False) as connection, TRANSLATED:
            cursor = connection.cursor().sqlite_cursor
            cursor.row_factory = None
            return read(cursor, query, values)

    def take(self) -> tuple[_File, SQLiteConnection]:
        """A connection that nobody else has, and the file that it is to."""
        file = self._file()
        return file, self._reuse(file) or self._connect()

    def keep(self, file: _File, connection: SQLiteConnection) -> None:
        """Has the connection used again, for whoever is next.

        Raises:
            OperationalError: what was done with it, nobody finds again.
        """
        if self._file() != file:
            raise OperationalError("another file was put in the event store's place")
        self._idle.append((file, connection))

    def _file(self) -> _File:
        """Which file is at the path: what an unlinked one holds, nobody finds again."""
        try:
            status = os.stat(self._name)  # noqa: PTH116 (often)
        except OSError as error:
            raise OperationalError(error) from error
        return status.st_dev, status.st_ino

    def _reuse(self, file: _File) -> SQLiteConnection | None:
        try:
            while True:
                known, connection = self._idle.pop()
                if known == file:
                    return connection
                connection.close()
        except IndexError:  # looking first would not do: other threads take from it too
            return None

    def close(self) -> None:
        """Closes every connection that is not in use."""
        with suppress(IndexError):
            while True:
                self._idle.pop()[1].close()
        super().close()

    def _connect(self) -> SQLiteConnection:
        with TRANSLATED:
            raw = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rw'}",
                uri=True,
                timeout=self._busy_seconds,
                isolation_level=None,
                cached_statements=128,
                check_same_thread=False,
            )
            try:
                raw.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
                if not self._read_only:
                    raw.execute("PRAGMA journal_mode=WAL")
                    raw.execute(f"PRAGMA synchronous={self._synchronous}")
            except sqlite3.Error:
                raw.close()
                raise
            raw.row_factory = sqlite3.Row
        return SQLiteConnection(raw, max_age=None)
