"""Position: how far the tables are, and of which log; events are applied together with it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from domain.fact import values_of
from domain.log import Log
from projections.changes import Changes, stored_in
from projections.facts import fact_of
from projections.moments import EVERY, Clock, moment
from projections.project import project
from projections.seal import Seal, leaf
from projections.write_lock import begin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from eventsourcing.persistence import ApplicationRecorder, Notification
    from sqlite_utils import Database

    from domain.fact import Fact
    from projections.changes import Row

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """The last event applied, by which the tables know their log again, and how many there were.

    Positions are not dense on every store, and are used again after a restore: the number alone
    says little. `frontier` is that of the seal over all of them, `latest` the latest of their
    times.
    """

    position: int = 0
    stream: str = ""
    version: int = 0
    digest: str = ""
    count: int = 0
    frontier: str = ""
    incarnation: str | None = None
    latest: str = ""

    @classmethod
    def read(cls, changes: Changes) -> Position:
        """What the tables say, as changed so far."""
        return cls.of(changes.get("position", 1))

    @classmethod
    def of(cls, row: Row | None) -> Position:
        """What a row of theirs says; the beginning, where there is none."""
        return cls(**{name: row[name] for name in cls.__slots__}) if row else cls()

    @classmethod
    def stored(cls, database: Database) -> Position:
        """What the tables say."""
        row = database.conn.execute(_STORED).fetchone()
        return cls(*row) if row else cls()

    def write(self, changes: Changes) -> None:
        """Makes the tables say so."""
        changes.put("position", {"id": 1, **values_of(self)})

    @property
    def seal(self) -> Seal:
        """The tree over every event up to here."""
        return Seal.of(self.count, self.frontier)

    def is_at(self, event: Notification) -> bool:
        """Is this the event that was applied last?"""
        return (self.position, self.stream, self.version, self.digest) == _identity(event)


_NONE = -1
"""The version of an event whose version is no number."""

_STORED = f"SELECT {', '.join(Position.__slots__)} FROM position"  # noqa: S608 (names are ours)


def tell(event: Notification, error: Exception) -> None:
    """Logs that an event cannot be applied."""
    _LOGGER.error("event %s (%s) cannot be applied", event.id, event.topic, exc_info=error)


def apply(
    events: Sequence[Notification],
    changes: Changes,
    poison: Callable[[Notification, Exception], object] = tell,
) -> None:
    """Applies events in their order, and moves the position with them.

    An event that cannot be applied freezes its stream, in the table `quarantine`, and lets the
    others go on: replay never refuses. `poison` is told first, and may raise to stop it all.
    """
    position = Position.read(changes)
    incarnation, clock = position.incarnation, Clock(position.latest)
    on_top = changes.on_top()
    for count, event in enumerate(events, position.count + 1):
        step, fact = on_top, None
        step.begin(event.id)
        try:
            fact = _apply_one(event, step)
            step.check()
        except Exception as error:  # noqa: BLE001 (whatever it is, the others go on)
            poison(event, error)
            step = Changes(changes.get)
            step.put("quarantine", _frozen(event, error))
            on_top.may_be_frozen = changes.may_be_frozen = True
        else:
            incarnation = fact.incarnation if isinstance(fact, Log.Begun) else incarnation
        clock.see(event, fact)
        if count % EVERY == 0:
            step.put("moments", moment(count, event.id, clock.text))
        changes.take(step)
    seal = position.seal.grown(list(map(leaf, events)))
    Position(*_identity(events[-1]), seal.count, seal.text, incarnation, clock.text).write(changes)


def news_since(
    recorder: ApplicationRecorder, position: Position, limit: int
) -> Sequence[Notification] | None:
    """The next events after a position; None where the log is not the one the position is of.

    Read inclusively from the last known event, which must still be there, byte for byte.
    """
    if not position.position:
        return recorder.select_notifications(None, limit)
    events = recorder.select_notifications(position.position, limit + 1)
    return events[1:] if events and position.is_at(events[0]) else None


def apply_page(recorder: ApplicationRecorder, database: Database, limit: int) -> int | None:
    """Applies the next events in one transaction and says how many; None: another log's tables."""
    with immediate(database):
        changes = Changes(stored_in(database))
        news = news_since(recorder, Position.read(changes), limit)
        if news:
            apply(news, changes)
            changes.store(database)
    return None if news is None else len(news)


@contextmanager
def immediate(database: Database) -> Iterator[None]:
    """A transaction that has the write lock from its first moment."""
    begin(database.conn)
    try:
        yield
    except BaseException:
        database.conn.rollback()
        raise
    database.conn.commit()


def _apply_one(event: Notification, changes: Changes) -> Fact | None:
    if changes.may_be_frozen and changes.get("quarantine", stream_of(event)):
        return None
    if not (isinstance(event.originator_id, UUID) and isinstance(event.originator_version, int)):
        raise TypeError(f"{event.originator_version!r} of {event.originator_id!r} is no place")
    fact = fact_of(event)
    project(fact, changes)
    return fact


def in_words(error: Exception) -> str:
    """An error as the table `quarantine` holds it."""
    return storable(f"{type(error).__name__}: {error}")


def _frozen(event: Notification, error: Exception) -> dict[str, object]:
    return {
        "stream": stream_of(event),
        "position": event.id,
        "topic": storable(event.topic),
        "error": in_words(error),
    }


def _identity(event: Notification) -> tuple[int, str, int, str]:
    # A store that was tampered with may hold anything: what is no bytes is like no event.
    digest = sha256(event.state).hexdigest() if isinstance(event.state, bytes) else "damaged"
    version = event.originator_version
    return event.id, stream_of(event), version if isinstance(version, int) else _NONE, digest


def stream_of(event: Notification) -> str:
    """An event's stream, as the tables name it."""
    stream = event.originator_id
    return stream.hex if isinstance(stream, UUID) else storable(stream)


def storable(found: object) -> str:
    """What a damaged row holds, as text that goes into a table."""
    return str(found).encode(errors="backslashreplace").decode()
