"""Rebuild: read tables built anew beside the live ones, compared row by row, swapped."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from domain.refusals import Refusal
from projections.changes import Changes, nothing, stored_in
from projections.position import Position, apply, apply_page, immediate, news_since
from projections.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from eventsourcing.persistence import ApplicationRecorder
    from sqlite_utils import Database

    from projections.changes import Row
    from projections.tables import ReadTables

PAGE = 5000
DIFFERENCES_SHOWN = 20
_LOCK = "rebuild.lock"

_LOGGER = logging.getLogger(__name__)


class RebuildRunning(Refusal):
    """Another rebuild of the same folder has not ended."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the live tables had otherwise; None: not at all."""

    table: str
    live: Row | None
    rebuilt: Row | None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did; `differences` holds the first few, `different` counts them all.

    `compared` is false where the live tables were damaged, or of another log.
    """

    events: int
    rows: int
    position: int
    seconds: float
    swapped: bool
    compared: bool
    different: int = 0
    differences: list[Difference] = field(default_factory=list)


def rebuild(
    recorder: ApplicationRecorder,
    tables: ReadTables,
    *,
    swap: bool = True,
    progress: Callable[[int], object] = int,
) -> Rebuilt:
    """Builds the tables anew from the whole log; the live ones go on meanwhile.

    Compared with the live tables at the same position, where those are of this log. With `swap`
    the new ones take their place for all processes of the machine at once.

    Raises:
        RebuildRunning: another one of the same folder has not ended.
    """
    began = monotonic()
    with _alone(tables.folder):
        tables.tidy()
        name, database = tables.new()
        leftover = name
        try:
            rows = _fold(recorder, database, progress)
            found = _differences_from_live(recorder, tables, database)
            position = Position.stored(database)
            if swap:
                before = tables.current() or name
                tables.point_to(name)
                leftover = before
        finally:
            database.conn.close()
            tables.discard(leftover)
    return Rebuilt(
        events=position.count,
        rows=rows,
        position=position.position,
        seconds=monotonic() - began,
        swapped=swap,
        compared=found is not None,
        different=len(found or ()),
        differences=(found or [])[:DIFFERENCES_SHOWN],
    )


def _fold(
    recorder: ApplicationRecorder, database: Database, progress: Callable[[int], object]
) -> int:
    """Applies the whole log in memory and writes what is left in bulk; returns the rows."""
    memory = Changes(nothing)
    while news := news_since(recorder, Position.read(memory), PAGE):
        apply(news, memory)
        progress(Position.read(memory).count)
    memory.rows = {key: row for key, row in memory.rows.items() if row is not None}
    with immediate(database):
        memory.store(database)
    return len(memory.rows)


def _differences_from_live(
    recorder: ApplicationRecorder, tables: ReadTables, rebuilt: Database
) -> list[Difference] | None:
    """Brings both to the same event, and tells them apart.

    None where the live tables are damaged or of another log: there is nothing to compare with.
    """
    try:
        with tables.open() as live:
            while apply_page(recorder, live, PAGE):
                pass
            return _compare(recorder, live, rebuilt)
    except sqlite3.DatabaseError:
        _LOGGER.exception("the live read tables are damaged")
        return None


def _compare(
    recorder: ApplicationRecorder, live: Database, rebuilt: Database
) -> list[Difference] | None:
    """Compares without holding up those who write; anew where the live tables went on meanwhile."""
    with immediate(live):
        at = Position.stored(live)
        if news_since(recorder, at, 1) is None:
            return None
        with immediate(rebuilt):
            changes = Changes(stored_in(rebuilt))
            while events := _until(recorder, Position.read(changes), at):
                apply(events, changes)
            changes.store(rebuilt)
    live.conn.execute("BEGIN")
    try:
        if Position.stored(live) == at:
            return [each for table in TABLES for each in _differences(table, live, rebuilt)]
    finally:
        live.conn.rollback()
    return _compare(recorder, live, rebuilt)


def _until(recorder: ApplicationRecorder, position: Position, at: Position) -> list[Any]:
    events = news_since(recorder, position, PAGE) or []
    return [event for event in events if event.id <= at.position]


def _differences(table: str, live: Database, rebuilt: Database) -> list[Difference]:
    ours, theirs = _rows(table, live), _rows(table, rebuilt)
    return [
        Difference(table, ours.get(key), theirs.get(key))
        for key in sorted({**ours, **theirs})
        if ours.get(key) != theirs.get(key)
    ]


def _rows(table: str, database: Database) -> dict[tuple[Any, ...], Row]:
    rows = (dict(row) for row in database.conn.execute(f"SELECT * FROM {table}"))  # noqa: S608
    return {tuple(row[column] for column in TABLES[table].key): row for row in rows}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RebuildRunning("Another rebuild of these read tables is running.") from error
    finally:
        os.close(descriptor)
