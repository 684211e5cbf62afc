"""Rebuild: read tables built anew beside the live ones, compared row by row, swapped."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from domain.refusals import Refusal
from projections.checks import alone, check_history, check_room, check_seals
from projections.compare import Difference, compare
from projections.fold import fold, freeze, stop
from projections.position import Position, news_since
from projections.schema import TABLES
from projections.tables import connect

if TYPE_CHECKING:
    from pathlib import Path

    from eventsourcing.persistence import ApplicationRecorder
    from sqlite_utils import Database

    from projections.fold import Progress
    from projections.tables import ReadTables

_LOGGER = logging.getLogger(__name__)


class NothingToUndo(Refusal):
    """There are no former tables to go back to, or they are of no use; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How far a rebuild goes.

    Without `quarantine` an event that cannot be applied stops it; with it its stream is frozen,
    and the swap needs their number in `accept_quarantined` (None: however many there are). A log
    that is not the one that the live tables were made of, under the same incarnation, stops it
    but for that incarnation in `accept_history`.
    """

    compare: bool = True
    swap: bool = True
    quarantine: bool = False
    accept_quarantined: int | None = 0
    accept_history: str | None = None


UNATTENDED = Plan(compare=False, quarantine=True, accept_quarantined=None)
"""Nobody is there to ask: what cannot be applied is frozen, as the follower does."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did.

    The tables are those of the log's first `events`, whose tree has the root `root`. `resumed`
    says how many of these a rebuild had applied already that was killed. `compared` is false where
    the live tables were damaged, or of another log; `different` counts the rows that differ,
    `differences` holds the first few. `quarantined` are the streams that are frozen.
    """

    events: int
    rows: int
    position: int
    root: str
    resumed: int
    seconds: float
    swapped: bool
    compared: bool
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)


def rebuild(
    recorder: ApplicationRecorder,
    tables: ReadTables,
    plan: Plan = Plan(),
    progress: Progress = lambda *_: None,
) -> Rebuilt:
    """Builds the tables anew from the whole log; the live ones go on meanwhile.

    Compared with the live tables at the same position, where those are of this log. With `swap`
    the new ones take their place for all processes of the machine at once, and these are kept for
    `undo`. `progress` is told the events so far, and their share of all. A rebuild that is killed
    is gone on with by the next one.

    Raises:
        RebuildRunning: another one of the same folder has not ended.
        NoRoom: the disk may not have room for the tables.
        Poisoned: an event cannot be applied.
        HistoryAltered: the log is not the one that the live tables were made of.
    """
    began = monotonic()
    with alone(tables):
        if plan.compare:
            check_room(tables)
            check_history(recorder, tables, plan.accept_history)
        tables.tidy()
        try:
            done = _rebuild(recorder, tables, plan, progress)
        finally:
            tables.abandon()
    return replace(done, seconds=monotonic() - began)


def undo(recorder: ApplicationRecorder, tables: ReadTables) -> Position:
    """Puts the tables that the last rebuild replaced in their place again, and keeps the others.

    They are as old as that rebuild, and catch up by themselves. Returns how far they are.

    Raises:
        RebuildRunning: a rebuild of the same folder has not ended.
        NothingToUndo: there are none, or they are not of this log.
    """
    with alone(tables):
        former = tables.former()
        if former is None:
            raise NothingToUndo("There are no former read tables: the last rebuild kept none.")
        position = _position_of(tables.folder / former)
        if position is None or news_since(recorder, position, 1) is None:
            raise NothingToUndo("The former read tables are damaged, or of another event log.")
        tables.swap(former, keep=True)
        return position


def _rebuild(
    recorder: ApplicationRecorder, tables: ReadTables, plan: Plan, progress: Progress
) -> Rebuilt:
    name, database, resumed = _begun(recorder, tables, plan)
    poisoned = freeze if plan.quarantine else stop
    with closing(database.conn):
        fold(recorder, database, progress, poisoned)
        database = tables.settle(name, database)
    with closing(database.conn):
        alive = plan.compare and tables.current()
        found = compare(recorder, tables, database, poisoned) if alive else None
        position = Position.stored(database)
        same = found is not None and check_seals(
            found.live, found.rebuilt, position, plan.accept_history
        )
        frozen = [dict(row) for row in database.execute("SELECT * FROM quarantine")]
        rows = sum(database.table(table).count for table in TABLES)
    swapped = plan.swap and plan.accept_quarantined in (len(frozen), None)
    if swapped:
        tables.swap(name, keep=same)
    return Rebuilt(
        events=position.count,
        rows=rows,
        position=position.position,
        root=position.seal.root.hex(),
        resumed=resumed,
        seconds=0,
        swapped=swapped,
        compared=found is not None,
        different=found.different if found else 0,
        differences=found.differences if found else [],
        quarantined=frozen,
    )


def _begun(
    recorder: ApplicationRecorder, tables: ReadTables, plan: Plan
) -> tuple[str, Database, int]:
    """Tables to go on with, and how many events are in them: a killed rebuild's, or empty ones."""
    left = tables.unfinished()
    if left and (resumed := _usable(recorder, tables.folder / left, plan)):
        _LOGGER.warning("going on with what a killed rebuild left, after %s events", resumed)
        return left, tables.go_on(left), resumed
    if left:
        _LOGGER.warning("what a killed rebuild left is of no use: starting over")
    tables.abandon()
    return *tables.build(), 0


def _usable(recorder: ApplicationRecorder, file: Path, plan: Plan) -> int:
    """How many events are in these tables: 0 where they are not of this log, or damaged.

    And where something was frozen in them that this plan would stop at.
    """
    at = _position_of(file)
    if at is None or not at.position or news_since(recorder, at, 1) is None:
        return 0
    with closing(connect(file).conn) as connection:
        frozen = connection.execute("SELECT count(*) FROM quarantine").fetchone()[0]
    return 0 if frozen and not plan.quarantine else at.count


def _position_of(file: Path) -> Position | None:
    """Of tables that nobody need have open; None where they cannot be read."""
    try:
        database = connect(file)
        with closing(database.conn):
            return Position.stored(database)
    except sqlite3.DatabaseError:
        return None
