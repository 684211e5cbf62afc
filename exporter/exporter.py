"""Exporter: finds unfinished tasks, claims one at a time, and makes an attempt at it."""

from __future__ import annotations

import logging
from math import inf
from random import SystemRandom
from secrets import token_hex
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from domain.commands import Progress
from domain.journal import utc_now
from domain.refusals import TaskOver, Unavailable
from exporter.attempt import Attempt
from exporter.outages import Outages
from exporter.sender import Sender
from exporter.tracing import span
from exporter.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from domain.commands import Claim
    from domain.ledger import Ledger
    from domain.owner import Chance
    from domain.task import Task
    from exporter.results import Results
    from exporter.sources import Source
    from projections.queries import Queries
    from projections.rows import TaskRow

LEASE = 60.0
CRASHES_ALLOWED = 3
"""Crashes after which a task fails (contract, section 7)."""

IDLE_SECONDS = 0.25
"""Between two looks for work, on average: exporters that look at one moment meet at one task."""

AWAY_SECONDS = 1.0
"""Before the next look while a store is unavailable, on average: not all ask at one moment."""

FULL_SECONDS, FULL_MOST = 10.0, 60.0
"""Before the next claim of one whose disk is full, doubled each time: longer than a task that it
has handed back waits at first, so that others take it.
"""

NONCE_BYTES = 8

log = logging.getLogger(__name__)


class Exporter:
    """Works on one task at a time, owners in turn; any number may run, in any processes.

    `name` tells it apart in events, `lease` is how many seconds of its silence mean that it is
    gone, `download` is `xls`, or `zip` to pack every file. `clock` tells the time, `watch` seconds
    for leases, `nonce` draws what tells one attempt's keys from another's, and `chance` how long
    to idle.
    """

    def __init__(
        self,
        ledger: Ledger,
        queries: Queries,
        source: Source,
        results: Results,
        *,
        name: str,
        lease: float = LEASE,
        crashes_allowed: int = CRASHES_ALLOWED,
        download: str = "xls",
        clock: Callable[[], datetime] = utc_now,
        watch: Callable[[], float] = monotonic,
        nonce: Callable[[], str] = lambda: token_hex(NONCE_BYTES),
        chance: Chance | None = None,
    ) -> None:
        self._ledger, self._queries = ledger, queries
        self._source, self._results = source, results
        self._name, self._lease, self._crashes_allowed = name, lease, crashes_allowed
        self._suffix = f".{download}"
        self._clock, self._seconds, self._nonce = clock, watch, nonce
        self._watch = Watch(watch)
        self._full_for, self._not_before = 0.0, -inf
        self._chance = chance or SystemRandom()

    def run(self, stop: Event) -> None:
        """Works until `stop` is set; a running attempt is then handed back.

        Read tables that cannot be read for a fault of the code end it: its parent starts it again.
        """
        outages = Outages(log, self._seconds)
        while not stop.is_set():
            pause = IDLE_SECONDS
            try:
                busy = self.step(stop)
                outages.succeeds("look for work")
            except Unavailable as error:
                outages.fails("look for work", error)
                busy, pause = False, AWAY_SECONDS
            if not busy:
                stop.wait(pause * (0.5 + self._chance.random()))

    def step(self, stop: Event | None = None) -> bool:
        """Takes one task and makes an attempt at it; False where there was nothing to do.

        Raises:
            Unavailable: the log or the read tables cannot be reached.
        """
        stop = stop or Event()
        if self._seconds() < self._not_before:
            return False
        # After a lost race the order is another one: the winner's owner has had its turn.
        while free := self._watch.first(self._queries.work()):
            taken = self._take(free)
            if taken:
                self._attempt(*taken, stop)
                return True
        return False

    def _take(self, row: TaskRow) -> tuple[Task, Claim] | None:
        """Claims a task; None where another was faster, or it failed for dying too often.

        A task with an event that nobody can read is let lie, so that the others go on.
        """
        try:
            return self._claim(row)
        except Unavailable:
            raise
        except TaskOver as error:
            log.debug("a task is not claimed: %s", error, extra=_told(row))
        except Exception:
            log.exception("a task cannot be claimed", extra=_told(row))
        self._watch.lose(row)
        return None

    def _claim(self, row: TaskRow) -> tuple[Task, Claim] | None:
        task, claim = self._ledger.claim(
            row.task_id, row.version, self._name, self._lease, self._crashes_allowed
        )
        if claim is None:
            log.warning("a task failed: its exporters died too often", extra=_told(row))
            return None
        return task, claim

    def _attempt(self, task: Task, claim: Claim, stop: Event) -> None:
        sender = Sender(
            self._ledger,
            claim,
            self._lease,
            stop=stop,
            clock=self._seconds,
            progress=Progress(total=task.total, batch_name=task.batch_name),
            request_id=task.request_id,
        )
        log.info("an attempt begins", extra=sender.told)
        attempt = Attempt(
            task,
            sender,
            self._source,
            self._results,
            nonce=self._nonce(),
            suffix=self._suffix,
            clock=self._clock,
        )
        with span("export attempt", task.traceparent, **sender.told["keys"]):
            attempt.run()
        self._rest(attempt.lacked_room)

    def _rest(self, full: bool) -> None:
        """While this machine's disk is full, its exporters leave tasks to others for a while."""
        self._full_for = min(max(FULL_SECONDS, 2 * self._full_for), FULL_MOST) if full else 0.0
        if full:
            self._not_before = self._seconds() + self._full_for
            log.warning("no task is taken for %.0f s: a disk is full", self._full_for)


def _told(row: TaskRow) -> dict[str, dict[str, str]]:
    return {"keys": {"task": row.task_id}}
