"""The library's own ProjectionRunner, made to run on SQLite, with our projection in its view."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.persistence import ListenNotifySubscription, Tracking
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTrackingRecorder,
)
from eventsourcing.utils import get_topic
from sqlite_utils import Database

from projections import schema
from projections.changes import Changes
from projections.project import project
from projections.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from domain.fact import Fact
    from projections.changes import Row

GLANCE_SECONDS = 0.01

_KEYED = {
    name: " AND ".join(f"{column} = ?" for column in table.key) for name, table in TABLES.items()
}
_NAMED = {
    name: ", ".join(f":{column}" for column in table.columns) for name, table in TABLES.items()
}
_FIND = {name: f"SELECT * FROM {name} WHERE {keyed}" for name, keyed in _KEYED.items()}  # noqa: S608
_DELETE = {name: f"DELETE FROM {name} WHERE {keyed}" for name, keyed in _KEYED.items()}  # noqa: S608
_PUT = {name: f"INSERT OR REPLACE INTO {name} VALUES ({named})" for name, named in _NAMED.items()}  # noqa: S608


class Subscribable(SQLiteApplicationRecorder):
    """The library's recorder with the subscription that it lacks: what is stored now."""

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> ListenNotifySubscription[Subscribable]:
        """All events after a position; this log does not grow, so nobody need be woken."""
        return ListenNotifySubscription(self, gt, topics)


class View(SQLiteTrackingRecorder):
    """Our read tables as a view of the library's: one event, one transaction."""

    def __init__(self, datastore: SQLiteDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.applied = 0
        # Its pool has one connection here, made now: as durable as our own read tables, no more.
        with datastore.get_connection(commit=True) as connection:
            connection.cursor().execute("PRAGMA synchronous=NORMAL")

    def construct_create_table_statements(self) -> list[str]:
        """The tracking table, and ours."""
        with closing(sqlite3.connect(":memory:")) as memory:
            schema.create(Database(memory))
            ours = memory.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return [*super().construct_create_table_statements(), *(row[0] for row in ours)]

    def apply(self, event: Fact, tracking: Tracking) -> None:
        """Changes the rows that our projection says, and moves the position."""
        with self.datastore.transaction(commit=True) as cursor:
            changes = Changes(_stored_in(cursor), tracking.notification_id)
            project(event, changes)
            for (table, key), row in changes.rows.items():
                _store(cursor, table, key, row)
            self._insert_tracking(cursor, tracking)
        self.applied = tracking.notification_id


class ReadTablesProjection(Projection[View]):
    """Hands every event to the view."""

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Applies one event."""
        self.view.apply(domain_event, tracking)


def project_all(log: Path, view: Path, head: int) -> None:
    """Runs the library's runner over a log into an empty view until the head is applied."""
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "APPLICATION_RECORDER_TOPIC": get_topic(Subscribable),
        "SQLITE_DBNAME": str(log),
        "READTABLESPROJECTION_SQLITE_DBNAME": str(view),
    }
    with ProjectionRunner(
        application_class=Application[UUID],
        projection_class=ReadTablesProjection,
        view_class=View,
        env=environment,
    ) as runner:
        while runner.view.applied < head:
            runner.run_forever(GLANCE_SECONDS)
    runner.view.datastore.close()


def _stored_in(cursor: SQLiteCursor) -> Any:
    def find(table: str, *key: Any) -> Row | None:
        cursor.execute(_FIND[table], key)
        row = cursor.fetchone()
        return dict(row) if row else None

    return find


def _store(cursor: SQLiteCursor, table: str, key: tuple[Any, ...], row: Row | None) -> None:
    if row is None:
        cursor.execute(_DELETE[table], key)
    else:
        cursor.execute(_PUT[table], row)
