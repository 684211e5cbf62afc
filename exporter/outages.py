"""Outages: what fails for a while is said when it begins, once a minute, and when it is over.

At the level `debug` every try is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from typing import Any

    Log = logging.Logger | logging.LoggerAdapter[Any]

TOLD_EVERY = 60.0
"""Seconds between two lines about what still fails."""

BEGINS, STILL = "cannot %s: %s", "still cannot %s: %s"


@dataclass(slots=True)
class _Outage:
    began: float
    told: float
    works: set[str]


class Outages:
    """What fails now in one process; safe for threads.

    Everything that fails with the same kind of error is one outage: a store that is away is told
    once, whatever was to be done with it.
    """

    def __init__(self, log: Log, clock: Callable[[], float] = monotonic) -> None:
        self._log, self._clock = log, clock
        self._open: dict[type[Exception], _Outage] = {}
        self._changing = Lock()

    def fails(self, work: str, error: Exception) -> None:
        """A try failed; `work` is what was tried, as in "cannot catch up"."""
        now, kind = self._clock(), type(error)
        with self._changing:
            self._goes_on(work, now, kind)
            outage = self._open.get(kind)
            if outage is None:
                self._open[kind] = _Outage(now, now, {work})
                self._log.warning(BEGINS, work, _why(error))
                return
            outage.works.add(work)
            if now - outage.told >= TOLD_EVERY:
                outage.told = now
                lasted, works = now - outage.began, ", ".join(sorted(outage.works))
                self._log.warning("cannot %s for %.0f s: %s", works, lasted, _why(error))
            else:
                self._log.debug(STILL, work, _why(error))

    def succeeds(self, work: str) -> None:
        """A try succeeded."""
        if self._open:
            with self._changing:
                self._goes_on(work, self._clock())

    def _goes_on(self, work: str, now: float, but: type[Exception] | None = None) -> None:
        """Nothing but one kind of error keeps this work any more."""
        for kind, outage in [*self._open.items()]:
            if kind is but or work not in outage.works:
                continue
            outage.works.remove(work)
            if not outage.works:
                del self._open[kind]
                self._log.warning("can %s again, after %.1f s", work, now - outage.began)


def _why(error: Exception) -> str:
    """What happened, on one line, with what was behind it."""
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    return " ".join(f"{error}{cause}".split())
