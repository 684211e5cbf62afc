"""An event store in a database of PostgreSQL's, for all processes of many machines."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import psycopg
from eventsourcing.persistence import PersistenceError

from projections.log import CannotOpen
from projections.shown import shown
from projections.stores.advisory_turns import SPACE, AdvisoryTurns
from projections.stores.database_clock import DatabaseClock
from projections.stores.postgres_recorder import PostgresRecorder
from projections.stores.postgres_store import PostgresStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from projections.stores.patience import PatientConnection

ALONE = 0x6265_7369
"""The second half of the key under which tables beside the log are written; none of a turn's."""

_URL = re.compile(r"postgresql://([^@/?]*@)?[^@]*")


class PostgresLog:
    """The log in a database; its times are those of the database's clock."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        """Finds out in which schema of the database the log is to be.

        Raises:
            PersistenceError: the database does not answer, or has no such schema.
            psycopg.ProgrammingError: that is no URL of a database; it may tell the password.
        """
        self.url = shown(url)
        self._store = PostgresStore(url)
        self._store.schema = _schema(self._store)
        self.recorder = PostgresRecorder(self._store)
        self.turns = AdvisoryTurns(self._store.connect)
        self.clock = DatabaseClock(self._now)

    def create(self) -> None:
        """Makes the table and its index where they are missing; several may do so at once."""
        with self.writing() as cursor:
            cursor.execute("SELECT to_regclass('stored_events') IS NOT NULL AS there")
            if not cursor.fetchone()["there"]:
                self.recorder.create_in(cursor)

    def mark(self) -> None:
        """There is none: to ask for it would take as long as to ask for what is new."""

    @contextmanager
    def reading(self) -> Iterator[QuestionMarks]:
        """Reads of tables beside the log, each statement as of its own moment."""
        with self._store.get_connection() as connection:
            yield QuestionMarks(connection)

    @contextmanager
    def writing(self) -> Iterator[QuestionMarks]:
        """A write to tables beside the log, alone from its beginning."""
        with self._store.get_connection() as connection, connection.transaction():
            cursor = QuestionMarks(connection)
            cursor.execute("SELECT pg_advisory_xact_lock(?, ?)", (SPACE, ALONE))
            yield cursor

    def close(self) -> None:
        """Closes every connection that is not in use."""
        self.turns.close()
        self._store.close()

    def _now(self) -> datetime:
        with self.reading() as cursor:
            cursor.execute("SELECT clock_timestamp() AS now")
            return cast("datetime", cursor.fetchone()["now"])


def open_postgres(url: str) -> PostgresLog:
    """Opens the event store in a database, and makes what is missing.

    Raises:
        CannotOpen: the URL cannot be understood, or the database not be reached or used.
    """
    try:
        if not _URL.fullmatch(url):
            raise psycopg.ProgrammingError  # its pieces would be told as names of hosts and ports
        log = PostgresLog(url)
        log.create()
    except psycopg.ProgrammingError:
        raise CannotOpen(
            f"The event store '{shown(url)}' is not named as libpq names one; of a password, "
            "each character but letters and digits is written as %XX."
        ) from None
    except PersistenceError as error:
        raise CannotOpen(f"The event store '{shown(url)}' cannot be opened: {error}.") from error
    return log


class QuestionMarks:
    """A cursor that takes `?` for values, as those of the other stores do."""

    def __init__(self, connection: PatientConnection) -> None:
        self.taking_time = connection.taking_time
        self._cursor = connection.cursor()

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed or found."""
        return self._cursor.rowcount

    def execute(self, query: str, values: Sequence[Any] = (), /) -> None:
        """Runs a statement in which `?`, and nothing else, stands for a value."""
        self._cursor.execute(_numbered(query), values)

    def fetchone(self) -> Any:
        """The next row; None after the last."""
        return self._cursor.fetchone()

    def fetchall(self) -> Sequence[Any]:
        """The rows that are left."""
        return self._cursor.fetchall()


@lru_cache
def _numbered(query: str) -> bytes:
    return query.replace("%", "%%").replace("?", "%s").encode()


def _schema(store: PostgresStore) -> str:
    with store.get_connection() as connection:
        row = connection.execute("SELECT current_schema() AS name").fetchone()
    if not row or row["name"] is None:
        raise PersistenceError("the schema that it names is not there")
    return cast("str", row["name"])
