"""Stores of the simulator: the event log, the results, the source and the read tables.

Each is what the product expects of its own, and gives control to the kernel at every call; there
faults happen. The dead are refused: nothing that they still try has an effect.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import ApplicationRecorder, IntegrityError, OperationalError
from sqlite_utils import Database

from exporter.disk import ResultsFailed
from exporter.results import Listed, ResultExists, ResultMissing
from exporter.sources import BatchTask, SourceFailed
from exporter.workbook import Written
from projections import schema
from projections.position import _STORED as READ_POSITION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from eventsourcing.persistence import Notification, StoredEvent

    from tests.simulation.kernel import Actor, Process
    from tests.simulation.world import World

BUSY_SECONDS = 5.0
"""As long as SQLite waits for another's write lock."""


class SimRecorder(ApplicationRecorder):
    """One process's connection to the event log that all share."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        world, process = self._world, self._process
        fault = world.call(process, "append", _APPEND)
        if fault == "request lost":
            raise OperationalError(fault)
        if fault == "conflict":
            raise IntegrityError(fault)
        if fault == "lands late":
            world.land_late(stored_events)
            raise OperationalError(fault)
        try:
            ids = world.log.insert_events(stored_events)
        except IntegrityError:
            world.met("a real conflict")
            raise
        world.hear(stored_events)
        world.must_have_opened(stored_events)
        if fault is None:
            return ids
        world.undone(process, fault, stored_events)
        if fault == "answer lost":
            raise OperationalError(fault)
        raise IntegrityError(fault)

    def select_events(self, originator_id: Any, **selection: Any) -> Sequence[StoredEvent]:
        self._ask("read a stream")
        return self._world.log.select_events(originator_id, **selection)

    def select_notifications(
        self, start: int | None, limit: int, *more: Any, **selection: Any
    ) -> Sequence[Notification]:
        self._ask("read the log")
        return self._world.log.select_notifications(start, limit, *more, **selection)

    def max_notification_id(self) -> int | None:
        self._ask("read the head")
        return self._world.log.max_notification_id()

    def subscribe(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def _ask(self, what: str) -> None:
        if self._world.call(self._process, what, _READ) is not None:
            raise OperationalError("request lost")


_APPEND = (
    "request lost",
    "conflict",
    "answer lost",
    "answer disguised as a conflict",
    "lands late",
    "death after",
)
_READ = ("request lost",)
_TABLES = ("read tables fail",)
_PUT = ("request lost", "answer lost", "disk full", "death after")


@dataclass(slots=True)
class Spool:
    """A file that an attempt writes."""

    key: str
    process: Process
    content: bytes = b""


@dataclass(slots=True)
class Stored:
    """A result."""

    content: bytes
    modified: datetime
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256(self.content).hexdigest()


class SimResults:
    """One process's way to the result store that all share."""

    keeps_spools = False

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    def put(self, key: str, source: Spool) -> None:
        world = self._world
        fault = self._ask("put", _PUT)
        if key in world.objects:
            raise ResultExists(key)
        if source.key not in world.spools:
            raise ResultsFailed("the spool is gone", passing=True)
        world.objects[key] = Stored(source.content, world.true_time())
        del world.spools[source.key]
        if fault is not None:
            world.undone(self._process, fault, ())
            raise ResultsFailed(fault, passing=True)

    def spool(self, key: str) -> Spool:
        self._ask("spool")
        return self._world.spools.setdefault(key, Spool(key, self._process))

    def open(self, key: str) -> Opened:
        self._ask("open")
        stored = self._world.objects.get(key)
        if stored is None:
            raise ResultMissing(key)
        self._world.open_files += 1
        return Opened(self._world, stored)

    def list(self) -> Iterator[Listed]:
        self._ask("list")
        world = self._world
        yield from [Listed(k, len(o.content), o.modified, False) for k, o in world.objects.items()]
        yield from [Listed(k, 0, world.true_time(), True) for k in world.spools]

    def delete(self, key: str, *, spool: bool = False) -> None:
        self._ask("delete")
        if spool:
            self._world.spool_deleted(key, self._process)
        elif key in self._world.objects:
            self._world.deleted(key)

    def marker(self) -> str | None:
        return self._world.marker

    def claim(self, marker: str) -> None:
        self._world.marker = marker

    def _ask(self, what: str, kinds: tuple[str, ...] = _READ) -> str | None:
        fault = self._world.call(self._process, what, kinds)
        if fault in ("request lost", "disk full"):
            raise ResultsFailed(fault, passing=True)
        return fault


class Opened:
    """A result opened for reading, which keeps its bytes."""

    def __init__(self, world: World, stored: Stored) -> None:
        self._world, self.stored = world, stored
        self.size, self.modified = len(stored.content), stored.modified

    def read_range(self, start: int, length: int) -> Iterator[bytes]:
        yield self.stored.content[start : start + length]

    def close(self) -> None:
        self._world.open_files -= 1


class Book:
    """Stands in for the workbook, which takes milliseconds: the rows, as text."""

    def __init__(self, path: Spool, columns: Sequence[str], *, kept: bool) -> None:
        del columns, kept
        self._path, self._rows = path, 0

    def write(self, page: Sequence[Sequence[str | None]]) -> None:
        for row in page:
            self._rows += 1
            self._path.content += f"{row[0]}\n".encode()

    def close(self, pairs: Any, about: Any) -> Written:
        del about
        content = "".join(f"{pair}\n" for pair in pairs)
        self._path.content += content.encode()
        return Written(self._rows, 1, 0, *hash_spool(self._path))

    def abandon(self) -> None:
        """Nothing is held."""


def hash_spool(path: Spool) -> tuple[int, str]:
    """Stands in for `hash_file`."""
    return len(path.content), hashlib.sha256(path.content).hexdigest()


class SimSource:
    """One process's way to the batch tasks."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    def find(self, project_id: str, task_id: str, app_id: str | None) -> BatchTask | None:
        self._ask("find the batch task")
        batch = self._world.batches.get(task_id)
        return None if batch and app_id not in (None, batch.app_id) else batch

    def pages(self, task_id: str, size: int = 1000) -> Iterator[list[Any]]:
        for number in range(self._world.batches[task_id].total):
            self._ask("read a page")
            yield [(f"{task_id} {number}", "Success", None, None, None)]

    def count(self, task_id: str) -> int:
        self._ask("count")
        return self._world.batches[task_id].total

    def close(self) -> None:
        """Nothing is held."""

    def _ask(self, what: str) -> None:
        world, options = self._world, self._world.options
        if world.faulty:
            world.kernel.sleep(world.chance.random() * options.reading * options.lease)
        if self._world.call(self._process, what, ("source failed",)) is not None:
            raise SourceFailed("The source did not answer.", passing=True)


class SimConnection(sqlite3.Connection):
    """The one connection to a node's read tables: actors wait for its write lock by the kernel.

    One serves, since nobody gives up control between a write and its commit, nor between a
    reader's first row and its last: its position apart, what it reads is one moment's.
    """

    world: World
    _holder: Actor | None
    _waiting: list[Actor]
    _opening: set[Actor]

    def begin(self, world: World) -> None:
        """Serves one schedule from here on."""
        self.world, self._holder, self._waiting, self._opening = world, None, [], set()

    def opened(self) -> None:
        """An actor is about to read, or to write."""
        if actor := self.world.kernel.current:
            self._opening.add(actor)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "BEGIN IMMEDIATE":
            self._lock()
        elif sql == "BEGIN":
            return super().execute("SELECT 1")
        elif self._opening and sql is not READ_POSITION and not sql.startswith("PRAGMA"):
            self._read()
        return super().execute(sql, *parameters)

    def _read(self) -> None:
        """Gives up control before a reader's first row."""
        me = self.world.kernel.current
        if me in self._opening and me is not self._holder:
            self._opening.discard(me)
            self._call("read the tables")

    def _call(self, what: str) -> None:
        actor = self.world.kernel.current
        assert actor
        if self.world.call(actor.process, what, _TABLES) is not None:
            raise sqlite3.OperationalError("disk I/O error")

    def commit(self) -> None:
        if self._holds():
            try:
                self.world.tear()
                super().commit()
            except BaseException:
                super().rollback()
                raise
            finally:
                self._unlock()

    def rollback(self) -> None:
        if self._holds():
            super().rollback()
            self._unlock()

    def close(self) -> None:
        self.rollback()

    def _holds(self) -> bool:
        return self._holder is not None and self._holder is self.world.kernel.current

    def _lock(self) -> None:
        """Takes the write lock, or fails as SQLite does."""
        kernel = self.world.kernel
        me = kernel.current
        assert me
        self._call("lock the tables")
        until = kernel.now + BUSY_SECONDS
        while self._holder is not None:
            if kernel.now >= until:
                self.world.met("read tables locked for too long")
                raise sqlite3.OperationalError("database is locked")
            self._waiting.append(me)
            try:
                kernel.sleep(until - kernel.now)
            finally:
                if me in self._waiting:
                    self._waiting.remove(me)
        self._holder = me

    def _unlock(self) -> None:
        self._holder = None
        for actor in self._waiting:
            self.world.kernel.wake(actor)
        self._waiting.clear()


_EMPTY: list[bytes] = []
_OBJECTS: list[int] = []
_POOL: list[Database] = []
_FOLDERS: dict[str, Path] = {}


def _empty_tables() -> Database:
    """Empty read tables; one connection serves many schedules, as it keeps its statements."""
    while _POOL:
        database = _POOL.pop()
        if _objects(database.conn) != _OBJECTS[0]:
            continue  # of a rebuild that was killed: without indexes rows come in another order
        for table in schema.TABLES:
            sqlite3.Connection.execute(database.conn, f"DELETE FROM {table}")
        return database
    connection = sqlite3.connect(":memory:", factory=SimConnection, isolation_level=None)
    if not _EMPTY:
        made = Database(sqlite3.connect(":memory:"), execute_plugins=False)
        schema.create(made)
        made.conn.commit()
        _EMPTY.append(made.conn.serialize())
        _OBJECTS.append(_objects(made.conn))
        made.conn.close()
    connection.deserialize(_EMPTY[0])
    connection.row_factory = sqlite3.Row
    return Database(connection, execute_plugins=False, recursive_triggers=False)


def _objects(connection: sqlite3.Connection) -> int:
    """How many tables and indexes there are."""
    found = sqlite3.Connection.execute(connection, "SELECT count(*) FROM sqlite_master")
    return int(found.fetchone()[0])


class SimTables:
    """A node's read tables."""

    def __init__(self, world: World, node: str) -> None:
        self.world = world
        if node not in _FOLDERS:
            _FOLDERS[node] = Path(tempfile.mkdtemp(prefix="simulated-"))
        self.folder = _FOLDERS[node]
        self._files: dict[str, Database] = {}
        self._all: list[Database] = []
        self._current: str | None = None

    @contextmanager
    def open(self) -> Iterator[Database]:
        if self._current is None:
            self.point_to(self.new()[0])
        database = self._files[self._current or ""]
        database.conn.opened()
        try:
            yield database
        except BaseException:
            database.conn.rollback()
            raise

    def current(self) -> str | None:
        return self._current

    def new(self) -> tuple[str, Database]:
        database = _empty_tables()
        database.conn.begin(self.world)
        name = f"read-{len(self._all)}"
        self._files[name] = database
        self._all.append(database)
        return name, database

    def point_to(self, name: str) -> None:
        self._current = name

    def discard(self, name: str) -> None:
        self._files.pop(name, None)

    def tidy(self) -> None:
        """There are no old files."""

    def take_gone(self) -> None:
        """Nobody removes them."""

    build = new

    def unfinished(self) -> None:
        """Whoever was killed left nothing."""

    def settle(self, name: str, database: Database) -> Database:
        del name
        return database

    def swap(self, name: str, *, keep: bool) -> None:
        del keep
        before, self._current = self._current, name
        self.discard(before or "")

    def abandon(self) -> None:
        """What nobody points to is nobody's."""

    def close(self) -> None:
        """Ends with the schedule: the connections serve the next one."""
        for database in self._all:
            sqlite3.Connection.rollback(database.conn)
        _POOL.extend(self._all)
        self._all.clear()
