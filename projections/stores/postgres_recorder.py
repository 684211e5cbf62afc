"""Events in PostgreSQL: appended in one message, in the order in which they appear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg import ClientCursor
from psycopg.rows import tuple_row

from projections.log import BEFORE_ALL, Recorder, Stored
from projections.stores.postgres_store import PostgresStore, Stale

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.persistence import Notification

    from projections.log import Cursor

AFTER_ALL = 2**63 - 1
LOCK = "LOCK TABLE stored_events IN EXCLUSIVE MODE"
"""Lets one writer in at a time, from the drawing of positions to the commit; readers never wait."""

_INSERT = "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES "
_ROW = "(%s, %s, %s, %s)"
_EVENTS = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
)
_NEXT = f"{_EVENTS} WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
_OF_STREAM = (
    f"{_EVENTS} WHERE originator_id = %s AND notification_id <= %s AND notification_id > %s"
    " ORDER BY originator_version DESC LIMIT %s"
)
_SELECT = (
    "SELECT originator_id, originator_version, topic, state FROM stored_events"
    " WHERE originator_id = %s AND originator_version > %s AND originator_version <= %s"
    " ORDER BY originator_version {} LIMIT %s"
)
_OLDEST_FIRST, _NEWEST_FIRST = _SELECT.format("ASC"), _SELECT.format("DESC")


class PostgresRecorder(PostgresApplicationRecorder, Recorder):
    """The library's recorder and table, without its retries, types and functions.

    The library tries ten times before it says that the store is away; the journal, which looks
    first whether the last try landed, must know at once. And it holds the table's lock while it
    waits for an answer; here lock, insert and commit are one message, which the server has as a
    whole or not at all: however slow the writer, or stopped, nobody waits for it.
    """

    datastore: PostgresStore

    def create_in(self, cursor: Cursor) -> None:
        """Makes the library's table and index in a transaction that is open."""
        for statement in self.sql_create_statements:
            if "IF NOT EXISTS" in (text := statement.as_string()):
                cursor.execute(text)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Appends events, all or none, and gives their positions.

        Raises:
            IntegrityError: one of them is there already, or another in its place.
            OperationalError: the store does not answer; whether it took them, who knows.
        """
        if not stored_events:
            return []
        insert = f"{LOCK}; {_INSERT}{', '.join([_ROW] * len(stored_events))}"
        values = [value for event in stored_events for value in _values(event)]
        with self.datastore.get_connection() as connection:
            cursor = ClientCursor(connection)
            cursor.execute(f"{insert} RETURNING notification_id".encode(), values)
            cursor.nextset()
            return [row["notification_id"] for row in cursor.fetchall()]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """A stream's events, as the library's recorder gives them."""
        query = _NEWEST_FIRST if desc else _OLDEST_FIRST
        after = BEFORE_ALL if gt is None else gt
        rows = self._read(query, originator_id, after, AFTER_ALL if lte is None else lte, limit)
        return [StoredEvent(*row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The next events, at most `limit`, as the library's recorder gives them."""
        if stop is not None or topics:
            found: Sequence[Notification] = super().select_notifications(
                start, limit, stop, topics, inclusive_of_start=inclusive_of_start
            )
            return found
        after = BEFORE_ALL if start is None else start - inclusive_of_start
        return _notifications(self._read(_NEXT, after, limit))

    def events_of(
        self, stream: UUID, until: int, after: int = 0, newest: int = -1
    ) -> list[Notification]:
        """A stream's events up to a position, oldest first; of many only the newest."""
        most = newest if newest >= 0 else None
        return _notifications(self._read(_OF_STREAM, stream, until, after, most))[::-1]

    def max_notification_id(self) -> int | None:
        """The position of the last event; None where there is none."""
        ((position,),) = self._read("SELECT max(notification_id) FROM stored_events")
        return cast("int | None", position)

    def topics(self) -> dict[str, int]:
        """Every topic that stands in the log, and where it does first. Reads all of it."""
        query = "SELECT topic, min(notification_id) FROM stored_events GROUP BY topic"
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.taking_time(),
        ):
            return {row["topic"]: row["min"] for row in connection.execute(query).fetchall()}

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._read_once(query, values)
        except Stale:
            return self._read_once(query, values)

    def _read_once(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self.datastore.get_connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=tuple_row)
            return cursor.execute(query.encode(), values).fetchall()


def _values(event: StoredEvent) -> tuple[UUID | str, int, str, bytes]:
    return event.originator_id, event.originator_version, event.topic, event.state


def _notifications(rows: list[tuple[Any, ...]]) -> list[Notification]:
    return cast("list[Notification]", list(map(Stored._make, rows)))
