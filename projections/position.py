"""Position: how far the tables are, and of which log; events are applied together with it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, cast
from uuid import UUID

from domain.fact import values_of
from domain.log import Log
from domain.stored import event_mapper
from projections import schema
from projections.changes import Changes, stored_in
from projections.project import project
from projections.seal import Seal, leaf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eventsourcing.persistence import ApplicationRecorder, Notification
    from sqlite_utils import Database

    from domain.fact import Fact

_LOGGER = logging.getLogger(__name__)
_MAPPER = event_mapper()


@dataclass(frozen=True, slots=True)
class Position:
    """The last event applied, by which the tables know their log again, and how many there were.

    Positions are not dense on every store, and are used again after a restore: the number alone
    says little. `frontier` is that of the seal over all of them.
    """

    position: int = 0
    stream: str = ""
    version: int = 0
    digest: str = ""
    count: int = 0
    frontier: str = ""
    incarnation: str | None = None

    @classmethod
    def read(cls, changes: Changes) -> Position:
        """What the tables say, as changed so far."""
        row = changes.get("position", 1)
        if row is None:
            return cls()
        return cls(**{name: row[name] for name in cls.__slots__})

    @classmethod
    def stored(cls, database: Database) -> Position:
        """What the tables say."""
        row = database.conn.execute(_STORED).fetchone()
        return cls(*row) if row else cls()

    def write(self, changes: Changes) -> None:
        """Makes the tables say so."""
        changes.put("position", {"id": 1, "schema": schema.VERSION, **values_of(self)})

    @property
    def seal(self) -> Seal:
        """The tree over every event up to here."""
        return Seal.of(self.count, self.frontier)

    def is_at(self, event: Notification) -> bool:
        """Is this the event that was applied last?"""
        return (self.position, self.stream, self.version, self.digest) == _identity(event)


_STORED = f"SELECT {', '.join(Position.__slots__)} FROM position"  # noqa: S608 (names are ours)


def apply(events: Sequence[Notification], changes: Changes) -> None:
    """Applies events in their order, and moves the position with them.

    An event that cannot be applied freezes its stream, in the table `quarantine`, and lets the
    others go on: replay never refuses.
    """
    position = Position.read(changes)
    incarnation = position.incarnation
    for event in events:
        step = Changes(changes.get, event.id)
        try:
            fact = _apply_one(event, step)
            step.check()
        except Exception as error:
            _LOGGER.exception("event %s (%s) cannot be applied", event.id, event.topic)
            step = Changes(changes.get)
            step.put("quarantine", _frozen(event, error))
        else:
            incarnation = fact.incarnation if isinstance(fact, Log.Begun) else incarnation
        changes.take(step)
    seal = position.seal.grown(list(map(leaf, events)))
    Position(*_identity(events[-1]), seal.count, seal.text, incarnation).write(changes)


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
    database.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.conn.rollback()
        raise
    database.conn.commit()


def _apply_one(event: Notification, changes: Changes) -> Fact | None:
    if changes.get("quarantine", _hex(event)):
        return None
    fact = cast("Fact", _MAPPER.to_domain_event(event))
    project(fact, changes)
    return fact


def _frozen(event: Notification, error: Exception) -> dict[str, object]:
    return {
        "stream": _hex(event),
        "position": event.id,
        "topic": event.topic,
        "error": f"{type(error).__name__}: {error}",
    }


def _identity(event: Notification) -> tuple[int, str, int, str]:
    # A store that was tampered with may hold anything: what is no bytes is like no event.
    digest = sha256(event.state).hexdigest() if isinstance(event.state, bytes) else "damaged"
    return event.id, _hex(event), event.originator_version, digest


def _hex(event: Notification) -> str:
    stream = event.originator_id
    return stream.hex if isinstance(stream, UUID) else stream
