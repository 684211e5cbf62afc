"""Outages: what fails for a while is said when it begins, once a minute, and when it is over.

At the level `debug` every try is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from typing import Any

    Log = logging.Logger | logging.LoggerAdapter[Any]

TOLD_EVERY = 60.0
"""Seconds between two lines about what still fails."""

BEGINS, STILL = "cannot %s: %s", "still cannot %s: %s"


SHARED = ""
"""Stands for all works, in the key of an outage that is of none alone."""

_Key: TypeAlias = "tuple[type[Exception], str]"


@dataclass(slots=True)
class _Outage:
    began: float
    told: float
    works: set[str]


class Outages:
    """What fails now in one process; safe for threads.

    Everything that fails with the same kind of error is one outage: a store that is away is told
    once, whatever was to be done with it. It is over as soon as any of that succeeds. What goes on
    failing all the same has an outage of its own from then on, until it succeeds itself.
    """

    def __init__(self, log: Log, clock: Callable[[], float] = monotonic) -> None:
        self._log, self._clock = log, clock
        self._open: dict[_Key, _Outage] = {}
        self._left: set[_Key] = set()
        self._changing = Lock()

    def fails(self, work: str, error: Exception) -> None:
        """A try failed; `work` is what was tried, as in "cannot catch up"."""
        now, kind = self._clock(), type(error)
        with self._changing:
            self._goes_on(work, now, kind)
            outage = self._open.get((kind, work)) or self._open.get((kind, SHARED))
            if outage is None:
                own = work if (kind, work) in self._left else SHARED
                self._open[kind, own] = _Outage(now, now, {work})
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
        if self._open or self._left:
            with self._changing:
                self._goes_on(work, self._clock())

    def _goes_on(self, work: str, now: float, but: type[Exception] | None = None) -> None:
        """Nothing but one kind of error keeps this work any more; without one, it succeeds."""
        self._left = {(kind, each) for kind, each in self._left if each != work or kind is but}
        for key, outage in [*self._open.items()]:
            if key[0] is but or work not in outage.works:
                continue
            outage.works.remove(work)
            if not outage.works or not but:
                del self._open[key]
                self._left |= {(key[0], each) for each in outage.works}
                self._log.warning("can %s again, after %.1f s", work, now - outage.began)


def _why(error: Exception) -> str:
    """What happened, on one line, with what was behind it."""
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    return " ".join(f"{error}{cause}".split())
