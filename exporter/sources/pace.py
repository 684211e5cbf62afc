"""Pace: so many calls a second and no more, whichever threads make them."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Pace:
    """Hands out moments at least 1/rate seconds apart; safe for threads."""

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self._between, self._clock = 1 / rate, clock
        self._next = clock()
        self._lock = Lock()

    def wait(self) -> float:
        """Takes the next moment; returns the seconds until then."""
        with self._lock:
            now = self._clock()
            moment = max(self._next, now)
            self._next = moment + self._between
            return moment - now

    def hold(self, seconds: float) -> None:
        """Hands out no moment before so many seconds have passed."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
