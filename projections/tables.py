"""The folder of read tables: files of unique names, and which of them is for what."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple

from sqlite_utils import Database

from projections import schema
from projections.pointers import DRAFT, Pointers, sync
from projections.write_lock import BUSY_SECONDS, CACHE_KIB

if TYPE_CHECKING:
    from collections.abc import Iterator

BEING_MADE_SECONDS = 3600.0
"""A file that no pointer names may be one that is just being made, unless it is older than this."""

BUILDING_KIB = 65536
"""How much memory SQLite may use for tables that are being built."""

_PREFIX = f"read-v{schema.VERSION}-"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Gone(NamedTuple):
    """Tables that were there and are not, by no doing of ours, and when that was seen."""

    name: str
    seen: float


class ReadTables:
    """This machine's read tables, shared by its processes; safe for threads.

    Nothing is ever renamed onto a live database: a pointer, a one-line file, is replaced
    atomically, and is looked at before every use. `current` names the file that answers, `former`
    the one that did before the last rebuild, `building` the one that a rebuild is making. Each
    version of the tables has its own pointers: a process of another one goes on with its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._pointers = Pointers(folder, schema.VERSION)
        self._idle: deque[tuple[str, Database]] = deque()
        self._used: str | None = None
        self._gone: Gone | None = None

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
        """The name of the current file; None where this version of the tables has none."""
        name = self._pointers.read("current")
        if name is None:
            name = self._pointers.formerly() or ""
            return name if self.is_ours(name) else None
        return name

    def former(self) -> str | None:
        """The name of the file that was current before the last rebuild, if it is kept."""
        name = self._pointers.read("former")
        return name if name != self.current() and self._is_there(name) else None

    def take_gone(self) -> Gone | None:
        """Tables in whose place this process has made empty ones; told once."""
        gone, self._gone = self._gone, None
        return gone

    @staticmethod
    def is_ours(name: str) -> bool:
        """Is it the name of a file with the tables of this version?"""
        return name.startswith(_PREFIX)

    def new(self, name: str | None = None) -> tuple[str, Database]:
        """Empty tables in a file beside the current one, with a name of its own."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = name or _new_name()
        database = connect(self.folder / name, create=True)
        with database.atomic():
            schema.create(database)
        return name, database

    def point_to(self, name: str) -> None:
        """Makes a file the current one, for every process at its next look."""
        self._pointers.write("current", name)

    def swap(self, name: str, *, keep: bool) -> None:
        """Makes a file that was built the current one; the one before is kept as the former."""
        before, dropped = self.current(), self._pointers.read("former")
        if keep and before:
            self._pointers.write("former", before)
        else:
            self._pointers.remove("former")
        self.point_to(name)
        self._pointers.remove("building")
        for each in {dropped, before} - {None, name, self.former()}:
            self.discard(each or "")

    def discard(self, name: str) -> None:
        """Removes a file that is not current; whoever has it open goes on reading it."""
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"{name}{suffix}").unlink(missing_ok=True)

    def tidy(self) -> None:
        """Removes what crashes left, and other versions' tables that no process has open.

        Whatever was written to in the last `BEING_MADE_SECONDS` stays.
        """
        needed = {self.current(), self._pointers.read("former"), self._building()[0]}
        for path in self.folder.glob("read-*.sqlite"):
            if path.name not in needed and is_old(path) and not is_held(path):
                self.discard(path.name)
        for draft in self.folder.glob(f"{DRAFT}*"):
            if is_old(draft):
                draft.unlink(missing_ok=True)
        for pointer, line in self._pointers.of_others():
            if not self._is_there(line.partition(" ")[0]):
                pointer.unlink(missing_ok=True)

    def size(self) -> int:
        """How many bytes the current file has, with its write-ahead log."""
        files = [self.folder / f"{self.current()}{suffix}" for suffix in ("", "-wal")]
        return sum(file.stat().st_size for file in files if file.is_file())

    def close(self) -> None:
        """Closes every connection that is not in use."""
        with suppress(IndexError):
            while True:
                self._idle.pop()[1].conn.close()

    # A file that is being built; one process at a time

    def build(self) -> tuple[str, Database]:
        """Empty tables whose writes wait for no disk until `settle`."""
        name = _new_name()
        self._pointers.write("building", f"{name} {_boot()}")
        self.new(name)[1].conn.close()
        return name, self.go_on(name)

    def unfinished(self) -> str | None:
        """What a rebuild left that was killed.

        Not after a start of the machine: what was not on the disk by then may be torn.
        """
        name, boot = self._building()
        known = self._is_there(name) and name != self.current()
        if not known or not boot or boot != _boot():
            return None
        return name

    def go_on(self, name: str) -> Database:
        """What a rebuild left, opened as `build` opens it."""
        database = connect(self.folder / name)
        database.conn.execute("PRAGMA synchronous=OFF")
        database.conn.execute(f"PRAGMA cache_size=-{BUILDING_KIB}")
        return database

    def settle(self, name: str, database: Database) -> Database:
        """Brings a file that was built onto the disk; returns another connection to it."""
        database.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.conn.close()
        sync(self.folder / name)
        sync(self.folder)
        database = connect(self.folder / name)
        database.conn.execute(f"PRAGMA cache_size=-{BUILDING_KIB}")
        return database

    def abandon(self) -> None:
        """Removes what was being built."""
        name, _ = self._building()
        if name and name != self.current():
            self.discard(name)
        self._pointers.remove("building")

    def _building(self) -> tuple[str, str]:
        name, _, boot = (self._pointers.read("building") or "").partition(" ")
        return name, boot

    # Connections

    def _take(self) -> tuple[str, Database]:
        """A connection to the current file, which may be another one a moment later."""
        while True:
            name = self._used = self._present()
            try:
                return name, self._reuse(name) or connect(self.folder / name)
            except sqlite3.OperationalError:
                if self.current() == name:
                    raise

    def _present(self) -> str:
        name = self.current()
        if name is None:
            return self._begin()
        if self.is_ours(name) and self._is_there(name):
            return name
        if name != self.current():
            return self._present()
        made, database = self.new()
        database.conn.close()
        self._gone = Gone(name, monotonic())
        self.point_to(made)
        return made

    def _begin(self) -> str:
        """Makes the first file; of several processes that try, one wins."""
        name, database = self.new()
        database.conn.close()
        if not self._pointers.write_first("current", name):
            self.discard(name)
        elif self._used:
            self._gone = Gone(self._used, monotonic())
        return self.current() or name

    def _reuse(self, name: str) -> Database | None:
        with suppress(IndexError):
            while True:
                idle, database = self._idle.pop()
                if idle == name:
                    return database
                database.conn.close()
        return None

    def _is_there(self, name: str | None) -> bool:
        return bool(name) and os.path.exists(f"{self.folder}/{name}")  # noqa: PTH110 (often)


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
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return Database(connection, execute_plugins=False, recursive_triggers=False)


def is_held(path: Path) -> bool:
    """Has any process this database open? SQLite lets nobody out of WAL mode while one has."""
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:
        return False  # it is no database at all
    return False


def is_old(path: Path) -> bool:
    """Was this last written to so long ago that nobody is making it?"""
    with suppress(FileNotFoundError):
        return time() - path.stat().st_mtime > BEING_MADE_SECONDS
    return False


def _new_name() -> str:
    return f"{_PREFIX}{token_hex(8)}.sqlite"


def _boot() -> str:
    """Another one after every start of the machine."""
    with suppress(OSError):
        return _BOOT.read_text().strip()
    return ""
