"""Checks: what must hold before read tables are built anew."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from eventsourcing.persistence import PersistenceError
from eventsourcing.utils import TopicError, resolve_topic

from domain.journal import Journal
from domain.log import LOG_STREAM, Log
from domain.refusals import Refusal
from projections.fold import Poisoned
from projections.lock import Held, locked
from projections.position import Position, news_since, storable, stream_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eventsourcing.persistence import ApplicationRecorder

    from projections.log import Recorder
    from projections.seal import Seal
    from projections.tables import ReadTables

LOCK = "rebuild.lock"
ROOM = 2
"""How many times the live tables' size must be free on the disk."""


class RebuildRunning(Refusal):
    """Another rebuild of the same folder has not ended; the text says whose."""


class NoRoom(Refusal):
    """The disk may not have room for the tables."""


class HistoryAltered(Refusal):
    """The log is not the one that the live tables were made of, though it says it is."""

    def __init__(self, incarnation: str, what: str) -> None:
        super().__init__(
            f"The event log was altered under the incarnation {incarnation}: {what}. Nothing was "
            "changed. If its database was put back to an earlier state: export-tasks restore "
            "--in-place --dry-run. If nothing is gone and this log is the right one all the same: "
            f"export-tasks rebuild --accept-history {incarnation}"
        )


class Check(NamedTuple):
    """What was looked at, whether it is well, and what was seen."""

    name: str
    ok: bool
    what: str


def check_all(recorder: Recorder, tables: ReadTables) -> Iterator[Check]:
    """Looks at everything, one after the other; what comes after an unreadable log is left out."""
    try:
        head = recorder.max_notification_id() or 0
        topics = _seen("topics", lambda: check_topics(recorder))
    except PersistenceError as error:
        yield Check("event store", False, f"cannot be read: {error}")
        return
    yield Check("event store", True, f"readable, up to position {head}")
    yield topics
    yield _seen("room on the disk", lambda: check_room(tables))
    yield _seen("no other rebuild", lambda: _try(tables))
    yield _seen("the live tables' log", lambda: check_history(recorder, tables))


@contextmanager
def alone(tables: ReadTables) -> Iterator[None]:
    """One rebuild of a folder at a time.

    Raises:
        RebuildRunning: another one has not ended.
    """
    try:
        with locked(tables.folder / LOCK):
            yield
    except Held as held:
        raise RebuildRunning(f"Another rebuild of these tables is running: {held}.") from held


def check_topics(recorder: Recorder) -> str:
    """Says that every event in the log is of a kind that is known. Reads the whole log.

    Raises:
        Poisoned: one is not; the first such event.
    """
    topics = recorder.topics()
    unknown = {at: topic for topic, at in topics.items() if not _resolves(topic)}
    if unknown:
        (event,) = recorder.select_notifications(min(unknown), 1)
        about = f"the stream {stream_of(event)}"
        raise Poisoned(event.id, storable(event.topic), about, "there is no such kind of event")
    return f"all {len(topics)} are known"


def check_room(tables: ReadTables) -> str:
    """Says how much is free on the disk.

    Raises:
        NoRoom: less than `ROOM` times the size of the live tables.
    """
    free, needed = shutil.disk_usage(tables.folder).free, ROOM * tables.size()
    said = f"{free / 1e6:,.0f} MB free, {needed / 1e6:,.0f} MB needed"
    if free < needed:
        raise NoRoom(f"There is too little room in {tables.folder}: {said}.")
    return said


def check_history(
    recorder: ApplicationRecorder, tables: ReadTables, accepted: str | None = None
) -> bool:
    """Is the last event that the live tables know still in the log, byte for byte?

    False after a restore, and where an operator accepted another history by its incarnation.

    Raises:
        HistoryAltered: it is not, though the incarnation is the same.
    """
    at = _live_position(tables)
    if news_since(recorder, at, 1) is not None:
        return True
    incarnation = incarnation_of(recorder)
    if at.incarnation == incarnation and _name(at) != accepted:
        raise HistoryAltered(_name(at), _what_differs(recorder, at))
    return False


def incarnation_of(recorder: ApplicationRecorder) -> str | None:
    """Which one the log is now, whatever else of it cannot be read."""
    return Journal(recorder).salvage(Log, LOG_STREAM, latest=True).incarnation


def check_seals(live: Seal | None, rebuilt: Seal, at: Position, accepted: str | None) -> bool:
    """Were both made of the very same events? `live` is None where that cannot be said.

    Raises:
        HistoryAltered: they were not, and nobody accepted this history by its incarnation.
    """
    if live is None or live == rebuilt:
        return True
    if _name(at) != accepted:
        raise HistoryAltered(_name(at), _first_apart(live, rebuilt))
    return False


def _name(at: Position) -> str:
    """By what an operator accepts the history that a position is of."""
    return at.incarnation or "none"


def _live_position(tables: ReadTables) -> Position:
    """As far as the live tables can be read: a rebuild mends what is damaged."""
    if tables.current() is None:
        return Position()
    try:
        with tables.open() as live:
            return Position.stored(live)
    except sqlite3.DatabaseError:
        return Position()


def _what_differs(recorder: ApplicationRecorder, at: Position) -> str:
    head = recorder.max_notification_id() or 0
    if head < at.position:
        return f"it ends at position {head}, and the read tables know {at.position}"
    return f"the event at position {at.position} is not the one that the read tables know"


def _first_apart(live: Seal, rebuilt: Seal) -> str:
    """Each hash of a frontier stands for as many events as its bit of the count is worth."""
    if live.count != rebuilt.count:
        return f"it has {rebuilt.count} events where the read tables know {live.count}"
    sizes = [1 << bit for bit in reversed(range(live.count.bit_length())) if live.count >> bit & 1]
    ends = accumulate(sizes)
    trees = zip(sizes, ends, live.frontier, rebuilt.frontier, strict=True)
    size, end = next((size, end) for size, end, one, other in trees if one != other)
    return f"of its events number {end - size + 1} to {end} one at least is another one"


def _resolves(topic: object) -> bool:
    try:
        resolve_topic(str(topic))
    except TopicError:
        return False
    return True


def _seen(name: str, look: Callable[[], object]) -> Check:
    try:
        what = look()
    except Refusal as refusal:
        return Check(name, False, str(refusal))
    return Check(name, True, what if isinstance(what, str) else "as it should be")


def _try(tables: ReadTables) -> None:
    with alone(tables):
        pass
