"""Fold: a whole log applied in memory, and written in bulk into a file of its own."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from domain.refusals import Refusal
from projections.changes import Changes, nothing, store, stored_in
from projections.position import (
    Position,
    apply,
    immediate,
    in_words,
    news_since,
    storable,
    stream_of,
    tell,
)
from projections.schema import TABLES, create_indexes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eventsourcing.persistence import ApplicationRecorder, Notification
    from sqlite_utils import Database

    from projections.changes import Find, Key, Row

    Poison = Callable[[Notification, Exception], object]
    Progress = Callable[[int, float], object]

PAGE = 5000
"""Events that are read at a time."""

WRITTEN_EVERY = 100_000
"""Events after which what was folded is written: so many a killed rebuild does again at most."""

AT = ("position", (1,))
"""Under what table and key the position stands."""


class Poisoned(Refusal):
    """An event cannot be applied, and nobody said that its stream may be frozen."""

    def __init__(self, position: int, topic: str, about: str, error: str) -> None:
        super().__init__(
            f"The event at position {position} cannot be applied: {topic} of {about}: {error}. "
            f"Nothing was changed. Look at it: export-tasks event list --from {position}. "
            "To freeze what such events are about, and to go on with the others: "
            "export-tasks rebuild --quarantine"
        )
        self.position = position


class Fold(Changes):
    """The rows of a log; `store` writes those alone that changed since it last did."""

    def __init__(self, find: Find = nothing) -> None:
        super().__init__(find)
        self._fresh: dict[tuple[str, Key], Row | None] = {}

    def take(self, changes: Changes) -> None:
        """Makes another's changes one's own."""
        self.rows.update(changes.rows)
        self._fresh.update(changes.rows)

    def store(self, database: Database) -> None:
        """Writes what is new, with the position."""
        self._fresh[AT] = self.rows.get(AT)
        store(database, self._fresh)
        self._fresh.clear()


def fold(
    recorder: ApplicationRecorder,
    database: Database,
    progress: Progress,
    poisoned: Callable[[Changes], Poison],
) -> None:
    """Applies what the tables lack, to the log's head; they get indexes at the end alone.

    `poisoned` makes of the fold what is told of an event that cannot be applied.
    """
    at = Position.stored(database)
    memory = Fold(stored_in(database) if at.position else nothing)
    poison, written = poisoned(memory), at.count
    _drop_indexes(database)
    with _without_collector():
        while news := news_since(recorder, at, PAGE):
            apply(news, memory, poison)
            at = Position.read(memory)
            progress(at.count, at.position / max(at.position, recorder.max_notification_id() or 0))
            if at.count - written >= WRITTEN_EVERY:
                _write(memory, database)
                written = at.count
        if at.count > written:
            _write(memory, database)
    create_indexes(database)


def stop(rows: Changes) -> Poison:
    """Refuses to go on past an event that cannot be applied."""

    def refuse(event: Notification, error: Exception) -> None:
        stream = stream_of(event)
        raise Poisoned(
            event.id, storable(event.topic), about(rows, stream), in_words(error)
        ) from error

    return refuse


def freeze(rows: Changes) -> Poison:
    """Freezes the stream of an event that cannot be applied, and says so in the log."""
    del rows
    return tell


def about(rows: Changes, stream: str) -> str:
    """What a stream is about, as far as the tables know."""
    task = rows.get("tasks", stream)
    return f"the task {task['task_id']}" if task else f"the stream {stream}"


def _write(memory: Fold, database: Database) -> None:
    with immediate(database):
        memory.store(database)


def _drop_indexes(database: Database) -> None:
    for name in TABLES:
        for index in database.table(name).indexes:
            if index.origin == "c":
                database.conn.execute(f"DROP INDEX {index.name}")


@contextmanager
def _without_collector() -> Iterator[None]:
    """A fold makes rows by the million and no cycles: looking for these costs an eighth."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
