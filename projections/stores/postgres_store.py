"""Connections to PostgreSQL: bounded, timed out, and made anew with patience after a failure."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from random import random
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import psycopg
from eventsourcing.persistence import IntegrityError, OperationalError
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, dict_row, tuple_row

from projections.stores.patience import PatientConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 8
"""Connections of a process that are in use at once; one more takes its owners' turns."""

WAIT_SECONDS = 3.0
IDLE_SECONDS = 60.0
PAUSE_LEAST, PAUSE_MOST = 0.05, 1.0

# What the URL says comes after these, and so counts.
PARAMETERS = {
    "application_name": "export-tasks",
    "connect_timeout": "3",
    "tcp_user_timeout": "5000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
# Milliseconds. Whoever stops in the middle of a transaction is given up before the others give up
# waiting for the lock that it holds.
OPTIONS = (
    "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=2000"
)
UNHURRIED = "-c statement_timeout=0 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=0"
"""Of whoever reads or copies a whole log, which takes as long as it takes."""

SILENT_SECONDS = 600.0
"""How long one of theirs may say nothing: longer than any answer takes, shorter than for ever."""

_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)


class Stale(OperationalError):
    """A connection had ended while nobody used it: the same question, asked anew, may do."""


class PostgresStore(PostgresDatastore):
    """The library's datastore with connections of our own making; safe for threads.

    The library's pool lets every request wait for a server that is away, and the pauses between
    its tries grow without end. Here a process knows after one try, asks again after a pause that
    doubles from `PAUSE_LEAST` to `PAUSE_MOST` seconds, and tells everybody at once until then.
    """

    def __init__(self, url: str) -> None:
        """Connects to nothing yet.

        Raises:
            psycopg.ProgrammingError: that is no URL of a database; it may tell the password.
        """
        self._idle: deque[tuple[float, PatientConnection]] = deque()
        self._slots = BoundedSemaphore(CONNECTIONS)
        self._connecting = Lock()
        self._pause = self._not_before = 0.0
        self._failure = ""
        self._parameters = _parameters(url, OPTIONS)
        super().__init__(dbname="", host="", port="", user="", password="")

    def register_type_adapters(self) -> None:
        """Does nothing: our statements need no types of their own."""

    @contextmanager
    def get_connection(self) -> Iterator[PatientConnection]:
        """A connection of this call's alone, which begins no transaction by itself."""
        with self._slot(), translated():
            idle = self._reuse()
            connection = idle or self.connect()
            try:
                yield connection
            except psycopg.OperationalError as error:
                if connection.given_up:
                    self._note_failure(error)
                if idle and connection.closed:
                    raise Stale(error) from error
                raise
            finally:
                self._give_back(connection)

    def connect(self) -> PatientConnection:
        """A new connection, for the caller to close.

        Raises:
            OperationalError: the server cannot be reached now, or could not a moment ago.
        """
        if not self._connecting.acquire(blocking=not self._pause):
            raise OperationalError(self._failure)  # one asks for all
        try:
            if monotonic() < self._not_before:
                raise OperationalError(self._failure)
            return self._connected()
        except psycopg.Error as error:
            self._note_failure(error)
            raise OperationalError(self._failure) from error
        finally:
            self._connecting.release()

    def close(self) -> None:
        """Closes every connection that is not in use."""
        while idle := self._reuse():
            idle.close()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=WAIT_SECONDS):
            raise OperationalError("all connections to the event store are in use")
        try:
            yield
        finally:
            self._slots.release()

    def _connected(self) -> PatientConnection:
        connection = PatientConnection.connect(
            **self._parameters, autocommit=True, row_factory=dict_row
        )
        connection.execute(_DURABLE)
        connection.learn()
        self._pause = 0.0
        return connection

    def _note_failure(self, error: psycopg.Error) -> None:
        self._pause = min(PAUSE_MOST, max(PAUSE_LEAST, 2 * self._pause))
        self._not_before = monotonic() + self._pause * (0.5 + random())  # noqa: S311
        self._failure = str(error)

    def _reuse(self) -> PatientConnection | None:
        """The one used last, so that those that are not needed grow old."""
        try:
            return self._idle.pop()[1]
        except IndexError:
            return None

    def _give_back(self, connection: PatientConnection) -> None:
        if connection.closed:
            self.close()  # what one has lost, the others have too
        elif connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append((monotonic(), connection))
            self._close_old()

    def _close_old(self) -> None:
        try:
            while self._idle[0][0] < monotonic() - IDLE_SECONDS:
                self._idle.popleft()[1].close()
        except IndexError:
            pass  # another thread took it


@contextmanager
def translated() -> Iterator[None]:
    """Lets PostgreSQL's errors out as the library's, which the journal knows."""
    try:
        yield
    except psycopg.IntegrityError as error:
        raise IntegrityError(error) from error
    except psycopg.Error as error:
        raise OperationalError(error) from error


def connect_unhurried(url: str) -> psycopg.Connection[TupleRow]:
    """A connection for one long transaction; rows are tuples.

    A server that takes it and does not speak is given up; once it has spoken, its statements have
    the time that the URL gives them, or all, but for a silence of `SILENT_SECONDS`.

    Raises:
        psycopg.ProgrammingError: that is no URL of a database; it may tell the password.
        psycopg.Error: it cannot be reached.
    """
    parameters = _parameters(url, UNHURRIED)
    connection = PatientConnection.connect(**parameters, autocommit=True, row_factory=dict_row)
    connection.learn()
    connection.patience = connection.patience or SILENT_SECONDS
    connection.autocommit = False
    tuples = cast("psycopg.Connection[TupleRow]", connection)
    tuples.row_factory = tuple_row
    return tuples


def _parameters(url: str, options: str) -> dict[str, Any]:
    given: dict[str, Any] = {k: v for k, v in conninfo_to_dict(url).items() if v is not None}
    return {**PARAMETERS, **given, "options": f"{options} {given.get('options', '')}"}
