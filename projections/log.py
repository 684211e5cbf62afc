"""The event log: what an open event store offers, whatever it is made of; one is opened by URL."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from eventsourcing.persistence import ApplicationRecorder

from projections.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.persistence import Notification

    from domain.conditions import OwnerId

BEFORE_ALL = -(2**63)
"""Less than every position."""

_SQLITE, _POSTGRES = "sqlite:///", "postgresql://"


class CannotOpen(Exception):
    """The event store named by a URL cannot be opened; the text says which and why."""


class Stored(NamedTuple):
    """An event as `select_notifications` gives it: the library's `Notification`, made faster."""

    id: int
    originator_id: UUID | str
    originator_version: int
    topic: str
    state: bytes


class Recorder(ApplicationRecorder):
    """The library's recorder, and what else is asked of a log. Raises its `PersistenceError`s.

    Events appear in the order of their positions, so a reader that goes on from the last one it
    saw misses none. Positions may have gaps: they are no counts.
    """

    @abstractmethod
    def events_of(
        self, stream: UUID, until: int, after: int = 0, newest: int = -1
    ) -> list[Notification]:
        """A stream's events up to a position, oldest first; of many only the newest."""

    @abstractmethod
    def topics(self) -> dict[str, int]:
        """Every topic that stands in the log, and where it does first. Reads all of it."""


class Cursor(Protocol):
    """A transaction at tables beside the log. Rows are read by name: `row["user_id"]`."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed or found."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> object:
        """Runs a statement in which `?`, and nothing else, stands for a value."""

    def fetchone(self) -> Any:
        """The next row; None after the last."""

    def fetchall(self) -> Sequence[Any]:
        """The rows that are left."""


class OpenLog(Protocol):
    """An open event store; safe for threads.

    `url` names it for people and shows no password, `kind` is its beginning. `turns(owner)` lets a
    hot owner's writers take turns. `clock` tells the time that events are to carry, the same on
    all machines that share the store, and raises `domain.refusals.Unavailable`.
    """

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""

    @property
    def url(self) -> str:
        """The store's name without its password."""

    @property
    def recorder(self) -> Recorder:
        """The events."""

    @property
    def turns(self) -> Callable[[OwnerId], AbstractContextManager[object]]:
        """How an owner's writers take turns, for fairness alone."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """The time for events."""

    def mark(self) -> Hashable | None:
        """Another one after every commit; None where the store is not on this machine."""

    def reading(self) -> AbstractContextManager[Cursor]:
        """Reads of tables beside the log, each statement as of its own moment."""

    def writing(self) -> AbstractContextManager[Cursor]:
        """A write to tables beside the log: all of it, or nothing; on disk when it ends."""

    def create(self) -> None:
        """Makes the tables where they are missing; several may do so at once."""

    def close(self) -> None:
        """Closes every connection that is not in use."""


def open_log(url: str) -> OpenLog:
    """Opens the event store, and makes its tables where they are missing.

    Raises:
        CannotOpen: another kind of URL, or a store that cannot be made or reached.
    """
    if url.startswith(_SQLITE):
        from projections.stores.sqlite import open_sqlite

        return open_sqlite(url)
    if url.startswith(_POSTGRES):
        from projections.stores.postgres import open_postgres

        return open_postgres(url)
    raise CannotOpen(
        f"The event store '{shown(url)}' is not of a known kind: use {_SQLITE}PATH or "
        f"{_POSTGRES}USER@HOST/DATABASE."
    )
