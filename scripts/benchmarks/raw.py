"""Raw SQLite: the least that appending and reading the same stored events can cost."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from json import loads
from typing import TYPE_CHECKING, Any

from msgspec.json import decode

from domain.owner import Owner
from domain.task import Task
from projections import schema
from projections.schema import TABLES
from projections.tables import connect
from scripts.benchmarks.figures import Sample, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlite_utils import Database

    Append = list[tuple[Any, ...]]

OF_A_CREATE = (Task.Evicted.TOPIC, Owner.Admitted.TOPIC, Task.Created.TOPIC)
UNSYNCED = "the same writes, not synced"
_BLOCK = bytes(4096)
_TABLE = "SELECT sql FROM sqlite_master WHERE name = 'stored_events'"
_EVENTS = "SELECT * FROM stored_events WHERE rowid > ? ORDER BY rowid"
_HEAD = "SELECT coalesce(max(rowid), 0) FROM stored_events"
_INSERT = "INSERT INTO stored_events VALUES (?, ?, ?, ?)"


def head(log: Path) -> int:
    """The position of a log's last event."""
    with closing(sqlite3.connect(log)) as connection:
        return int(connection.execute(_HEAD).fetchone()[0])


def insert_creates_of(log: Path, to: Path, after: int = 0) -> Sample:
    """Inserts what each create appended to a log after a position, a transaction each.

    Same rows, same table, same journal and durability as the log's, into a file of its own.
    """
    with closing(sqlite3.connect(log)) as connection:
        definition = connection.execute(_TABLE).fetchone()[0]
        appends = list(_appends(connection.execute(_EVENTS, [after])))
    watch = Stopwatch()
    with closing(_empty(to, definition)) as connection, watch:
        for append in appends:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, append)
            connection.execute("COMMIT")
    return watch.sample(len(appends))


def read_events_of(log: Path) -> Sample:
    """Selects every event of a log and reads its JSON, and does nothing with it."""
    watch = Stopwatch()
    with closing(sqlite3.connect(log)) as connection, watch:
        events = sum(loads(row[3]) is not None for row in connection.execute(_EVENTS, [0]))
    return watch.sample(events)


def copy_rows_of(log: Path, tables: Database, to: Path) -> Sample:
    """Selects every event of a log, reads its JSON by the fastest library, and writes the rows that
    these events make, which are read from the tables beforehand, into equal tables in a file of
    their own: one transaction, a plain `executemany` for each table.
    """
    made = {
        name: [tuple(row) for row in tables.execute(f"SELECT * FROM {name}")]  # noqa: S608 (ours)
        for name in TABLES
    }
    schema.create(empty := connect(to, create=True))
    watch = Stopwatch()
    with closing(sqlite3.connect(log)) as connection, closing(empty.conn), watch:
        events = sum(decode(row[3]) is not None for row in connection.execute(_EVENTS, [0]))
        empty.conn.execute("BEGIN IMMEDIATE")
        for name, rows in made.items():
            values = ", ".join("?" for _ in TABLES[name].columns)
            empty.conn.executemany(f"INSERT INTO {name} VALUES ({values})", rows)  # noqa: S608
        empty.conn.execute("COMMIT")
    return watch.sample(events)


def select_events_of(log: Path) -> Sample:
    """Selects every event of a log, and does nothing with it."""
    watch = Stopwatch()
    with closing(sqlite3.connect(log)) as connection, watch:
        events = sum(1 for _ in connection.execute(_EVENTS, [0]))
    return watch.sample(events)


def sync(path: Path, number: int) -> dict[str, Sample]:
    """Appends blocks to a file, each made safe on the disk; and as many that are not."""
    watches = {"ours": Stopwatch(), UNSYNCED: Stopwatch()}
    for name, watch in watches.items():
        with path.open("wb", buffering=0) as file, watch:
            for _ in range(number):
                file.write(_BLOCK)
                if name == "ours":
                    os.fdatasync(file)
    return {name: watch.sample(number) for name, watch in watches.items()}


def _appends(rows: Iterable[tuple[Any, ...]]) -> Iterator[Append]:
    """A create ends with the task's `Created`; what exporters appended is left out."""
    append: Append = []
    for row in rows:
        if row[2] in OF_A_CREATE:
            append.append(row)
        if row[2] == Task.Created.TOPIC:
            yield append
            append = []


def _empty(path: Path, definition: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(definition)
    return connection
