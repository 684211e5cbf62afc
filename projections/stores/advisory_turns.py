"""Turns over many machines: an owner's writers wait for each other at a lock in the database."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING

import psycopg
from eventsourcing.persistence import PersistenceError

from projections.stores.file_turns import STRIPES, TURN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from domain.conditions import OwnerId
    from projections.stores.patience import PatientConnection

SPACE = 0x6578_7470
"""The first half of the locks' keys: other users of the database have other ones."""

ASK_SECONDS = 1.0
"""How long a server that stands still is waited for: no turn is worth more."""

_SHORTEST, _LONGEST = 0.002, 0.016
_TAKE = "SELECT pg_try_advisory_lock(%s, %s) AS done"
_GIVE = "SELECT pg_advisory_unlock(%s, %s) AS done"


class AdvisoryTurns:
    """Lets one owner's writers take turns over all machines, for fairness alone.

    The version check keeps the rules; so whoever waits longer than `TURN_SECONDS` goes on without
    (a stopped process may hold the lock), and so does everybody while there is no connection. All
    turns of a process are taken over one connection, beside those that the writers use: nobody
    who has a turn waits for what another who waits for a turn has.
    """

    def __init__(self, connect: Callable[[], PatientConnection]) -> None:
        self._connect = connect
        self._connection: PatientConnection | None = None
        self._asking = Lock()
        self._here = [Lock() for _ in range(STRIPES)]

    @contextmanager
    def __call__(self, owner: OwnerId) -> Iterator[None]:
        """Waits for the owner's turn, at most `TURN_SECONDS`."""
        stripe = blake2b("/".join(owner).encode(), digest_size=1).digest()[0]
        until = monotonic() + TURN_SECONDS
        with ExitStack() as held:
            if self._here[stripe].acquire(timeout=TURN_SECONDS):
                held.callback(self._here[stripe].release)
                if connection := self._take(stripe, until):
                    held.callback(self._give, connection, stripe)
            yield

    def close(self) -> None:
        """Closes the connection; the turns that are held end."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _take(self, stripe: int, until: float) -> PatientConnection | None:
        """The connection that has the turn; None where it cannot be had in time."""
        pause = _SHORTEST
        while self._asking.acquire(timeout=max(0.0, until - monotonic())):
            try:
                done, connection = self._ask(_TAKE, stripe), self._connection
            finally:
                self._asking.release()
            if done or connection is None:
                return connection
            if monotonic() + pause > until:
                break
            sleep(pause)
            pause = min(2 * pause, _LONGEST)
        return None

    def _give(self, connection: PatientConnection, stripe: int) -> None:
        with self._asking:
            if connection is self._connection:
                self._ask(_GIVE, stripe)

    def _connected(self) -> PatientConnection:
        connection = self._connect()
        connection.patience = ASK_SECONDS
        return connection

    def _ask(self, query: str, stripe: int) -> bool:
        try:
            self._connection = self._connection or self._connected()
            row = self._connection.execute(query.encode(), (SPACE, stripe)).fetchone()
            return bool(row and row["done"])
        except (psycopg.Error, PersistenceError):  # a turn is fairness, not worth a refusal
            self.close()
            return False
