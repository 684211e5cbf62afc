"""Patience: a connection to PostgreSQL that gives up on a server that stands still."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.abc import PQGen

T = TypeVar("T")

INTERVAL = 0.1
"""Seconds after which it is looked whether a signal has come."""

AT_FIRST = 3.0
LONGER = 1.0
"""Seconds more than the server's own time-out: a server that works speaks first."""

_OWN = "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'"


class PatientConnection(psycopg.Connection[DictRow]):
    """Waits for no answer much longer than the server's `statement_timeout`; where that is 0, ever.

    A server whose disk hangs, or that was stopped, keeps no time-outs, and its machine goes on to
    acknowledge what it is sent: nothing else would ever end the wait.
    """

    patience: float | None = AT_FIRST
    given_up = False
    """Whether the server stood still for too long."""

    def learn(self) -> None:
        """Asks the server for its time-out.

        Raises:
            psycopg.Error: it does not answer.
        """
        row = self.execute(_OWN).fetchone()
        seconds = int(row["setting"]) / 1000 if row else 0.0
        self.patience = seconds + LONGER if seconds else None

    @contextmanager
    def taking_time(self) -> Iterator[None]:
        """Lets the statements of a transaction that is open take as long as they take."""
        self.execute("SET LOCAL statement_timeout = 0")
        kept, self.patience = self.patience, None
        try:
            yield
        finally:
            self.patience = kept

    def wait(self, gen: PQGen[T], interval: float = INTERVAL, timeout: float | None = None) -> T:
        """As psycopg's own; a connection that was given up is closed: its answer may come yet.

        Raises:
            psycopg.OperationalError: no answer came, or the connection is lost.
        """
        timeout = self.patience if timeout is None else timeout
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.given_up = True
                self.pgconn.finish()
            raise
