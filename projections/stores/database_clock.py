"""The database's clock: the one that all machines tell the time of events by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from eventsourcing.persistence import PersistenceError

from domain.refusals import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

FRESH_SECONDS = 1.0


class DatabaseClock:
    """Tells the database's time, and asks for it once in `FRESH_SECONDS`; safe for threads.

    In between this machine's monotonic clock, which nobody sets, says how much later it is. The
    machine's own idea of the time is never looked at.
    """

    def __init__(
        self, ask: Callable[[], datetime], *, watch: Callable[[], float] = monotonic
    ) -> None:
        self._ask = ask
        self._watch = watch
        self._known: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """The time, late by no more than the answer took to come.

        Raises:
            Unavailable: the database does not answer.
        """
        now, known = self._watch(), self._known
        if known is None or now - known[1] > FRESH_SECONDS:
            now, known = self._asked()
        time, at = known
        return time + timedelta(seconds=now - at)

    def _asked(self) -> tuple[float, tuple[datetime, float]]:
        try:
            time = self._ask().astimezone(UTC)
        except PersistenceError as error:
            raise Unavailable from error
        at = self._watch()
        self._known = (time, at)
        return at, self._known
