"""Sender: the one way by which an attempt's words reach the ledger, and what renews its lease."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from domain.commands import Progress
from domain.refusals import TaskOver, Unavailable
from exporter.outages import Outages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from domain.commands import Claim, CompleteTask
    from domain.ledger import Ledger

PROGRESS_SECONDS = 1.0
"""Progress is not sent more often."""

PROGRESS_PERCENT = 2
"""Progress is not news before it has moved by so much."""

RENEWALS = 4
"""Renewals in the time of one lease: several may be lost before the task is."""

BEAT_SECONDS = 0.2
"""How often the heartbeat looks whether the lease is due for renewal, or the exporter to stop."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds between tries to save an attempt's last word, while the ledger is unavailable."""

SHUTDOWN = "shutdown"

TELL, END = "tell how far it is", "end the attempt"
"""What is told that it fails."""

log = logging.getLogger(__name__)


class Stopping(Exception):
    """The exporter is to stop: the attempt is to be handed back."""


class Sender:
    """Everything that one attempt tells the ledger, one word after the other; safe for threads.

    While the ledger is unavailable progress is lost and the attempt goes on: even where its lease
    ends meanwhile, the version check lets nobody but the task's holder have the last word.
    """

    def __init__(
        self,
        ledger: Ledger,
        claim: Claim,
        lease: float,
        *,
        stop: Event,
        clock: Callable[[], float] = monotonic,
        progress: Progress | None = None,
        request_id: str = "",
    ) -> None:
        """`request_id` is of the request that created the task: by it log lines are found."""
        self.told = {"keys": _keys(claim, request_id)}
        self._ledger, self.claim, self._lease = ledger, claim, lease
        self._stop, self._clock = stop, clock
        self._outages = Outages(logging.LoggerAdapter(log, self.told), clock)
        self._saving = Lock()
        self._over: TaskOver | None = None
        self._latest = self._told = progress or Progress()
        self._tried_at = clock()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renews the lease meanwhile, whatever the attempt is busy with or waits for.

        At the exporter's stop it hands the task back itself, since the attempt may be in the midst
        of something that cannot be interrupted.
        """
        done = Event()
        name = f"heartbeat of {self.claim.task_id}"
        beat = copy_context().run  # within whatever traces the attempt
        heartbeat = Thread(target=beat, args=(self._beat, done), name=name, daemon=True)
        heartbeat.start()
        try:
            yield
        finally:
            done.set()
            heartbeat.join()

    def go_on(self) -> None:
        """To be asked between two steps: may the attempt go on?

        Raises:
            TaskOver: it is over, or (ClaimLost) in other hands.
            Stopping: the exporter is to stop.
        """
        if self._over:
            raise self._over
        if self._stop.is_set():
            raise Stopping

    def progress(self, progress: Progress) -> None:
        """How far the attempt is; told to the ledger where it is news. Raises as `go_on`."""
        self.go_on()
        self._latest = progress
        moved = progress.percent - self._told.percent >= PROGRESS_PERCENT
        if moved and self._silence() >= PROGRESS_SECONDS:
            self._renew()

    def complete(self, command: CompleteTask) -> None:
        """The file is the result. Raises as `fail`."""
        self._end(lambda: self._ledger.complete(command))

    def fail(self, code: str, message: str) -> None:
        """There can be no result; said again until it is on record.

        Raises:
            TaskOver: it is over already, or (ClaimLost) in other hands.
            Unavailable: the exporter is to stop, and it may not be on record.
        """
        self._end(lambda: self._ledger.fail(self.claim, code, message))

    def hand_back(self, reason: str, *, wait: float = 0.0, fault: bool = False) -> None:
        """Another attempt is to follow, after `wait` seconds. Raises as `fail`."""
        self._end(lambda: self._ledger.hand_back(self.claim, reason, wait=wait, fault=fault))

    def _beat(self, done: Event) -> None:
        while not done.wait(BEAT_SECONDS):
            try:
                self._look()
            except TaskOver:
                return
            except Unavailable:
                pass  # told already; the next beat tries again
            except Exception:  # whatever it was, the next beat may succeed
                log.exception("the lease could not be renewed", extra=self.told)

    def _look(self) -> None:
        if self._stop.is_set():
            self.hand_back(SHUTDOWN)
        elif self._silence() >= self._lease / RENEWALS:
            self._renew()

    def _silence(self) -> float:
        return self._clock() - self._tried_at

    def _renew(self) -> None:
        with self._saving:
            if self._over:
                raise self._over
            latest = self._latest
            try:
                self._ledger.progress(self.claim, self._lease, latest)
            except TaskOver as error:
                self._over = error
                raise
            except Unavailable as error:
                self._outages.fails(TELL, error)
            else:
                self._told = latest
                self._outages.succeeds(TELL)
            finally:
                self._tried_at = self._clock()

    def _end(self, say: Callable[[], None]) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                self._say_last(say)
            except Unavailable as error:
                self._outages.fails(END, error)
                if self._stop.wait(pause):
                    raise
            else:
                return self._outages.succeeds(END)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _say_last(self, say: Callable[[], None]) -> None:
        with self._saving:
            if self._over:
                raise self._over
            try:
                say()
                self._over = TaskOver("this attempt has ended it")
            except TaskOver as error:
                self._over = error
                raise


def _keys(claim: Claim, request_id: str) -> dict[str, Any]:
    return {
        "task": claim.task_id,
        "attempt": claim.attempt,
        "exporter": claim.exporter,
        "task_request_id": request_id,
    }
