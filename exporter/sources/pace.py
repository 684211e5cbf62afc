"""Pace: so many calls a second and no more, whichever threads and processes make them."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from domain.refusals import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_SECONDS = 1.0
"""How often it is asked how many share the rate."""

LOOK_AGAIN_SECONDS = 10.0
"""The same, where nobody could tell: until then it is taken for what it was."""


class Pace:
    """Hands out moments at least so far apart that all who share the rate keep it; for threads.

    `sharers` tells how many call at this rate now, this process among them, and may raise
    Unavailable. Others know of one who comes only when they ask again: until then, for a second,
    all of them together are faster by the share of that one.
    """

    def __init__(
        self,
        rate: float,
        sharers: Callable[[], int] = lambda: 1,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._rate, self._sharers, self._clock = rate, sharers, clock
        self._between = 1 / rate
        self._next = self._look_at = self._held_until = clock()
        self._lock = Lock()

    def wait(self) -> float:
        """Takes the next moment; returns the seconds until then."""
        with self._lock:
            if self._clock() >= self._look_at:
                self._look()
            now = self._clock()
            moment = max(self._next, now)
            self._next = moment + self._between
            return moment - now

    def hold(self, seconds: float) -> None:
        """Hands out no moment before so many seconds have passed."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)
            self._next = max(self._next, self._held_until)

    def held(self) -> float:
        """Seconds for which no moment is handed out."""
        with self._lock:
            return max(0.0, self._held_until - self._clock())

    def _look(self) -> None:
        try:
            self._between = max(1, self._sharers()) / self._rate
            again = LOOK_SECONDS
        except Unavailable:
            again = LOOK_AGAIN_SECONDS
        self._look_at = self._clock() + again
