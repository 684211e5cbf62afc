"""Bucket hold: while a backup copies objects, none is deleted, by whichever machine."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from secrets import token_hex
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from exporter.disk import ResultsFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.bucket import Bucket

HOLD_SECONDS = 600.0
"""How long a hold is heeded when nothing is heard of it any more."""

RENEWALS = 10
"""Renewals in that time."""


class BucketHold:
    """An object for each backup that runs, which it changes all the time and removes at its end.

    Nobody compares clocks: who wants to delete heeds a hold until it has seen no change of it for
    `seconds`, by its own clock. So a backup that was killed holds deletions off for a while, and
    one that could not renew its hold for so long fails.
    """

    def __init__(
        self,
        bucket: Bucket,
        folder: str,
        *,
        seconds: float = HOLD_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._bucket, self._folder = bucket, folder
        self._seconds, self._clock = seconds, clock
        self._seen: dict[str, tuple[str, float]] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds deletions off.

        Raises:
            ResultsFailed: the hold cannot be made, or could not be kept up, so that what was
                copied meanwhile may not be all.
        """
        name, ended = f"{self._folder}/{token_hex(8)}", Event()
        self._bucket.replace(name, _change())
        renewal = Renewal(lambda: self._bucket.replace(name, _change()), self._seconds, self._clock)
        thread = Thread(target=renewal.run, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            renewal.look()  # whatever ended it
            with suppress(ResultsFailed):  # it is heeded for a while longer, and then removed
                self._bucket.delete(name)
        if renewal.lost:
            raise ResultsFailed("the results could not be held: others may be gone", passing=True)

    def is_held(self) -> bool:
        """Does a backup run, as far as is known? Raises ResultsFailed where that cannot be told.

        What is heeded no more is removed.
        """
        now, seen = self._clock(), self._seen
        self._seen = {}
        for each in self._bucket.objects(self._folder):
            change, since = seen.get(each.name, ("", now))
            self._seen[each.name] = (each.etag, since if change == each.etag else now)
        for name, (_, since) in self._seen.items():
            if now - since >= self._seconds:
                self._bucket.delete(name)
        return any(now - since < self._seconds for _, since in self._seen.values())


class Renewal:
    """Renews a hold until it has ended; `lost` where that did not succeed for too long."""

    def __init__(
        self, renew: Callable[[], None], seconds: float, clock: Callable[[], float]
    ) -> None:
        self._renew, self._seconds, self._clock = renew, seconds, clock
        self._renewed_at = clock()
        self.lost = False

    def run(self, ended: Event) -> None:
        """Renews it by time."""
        while not ended.wait(self._seconds / RENEWALS):
            self.step()
        self.look()

    def step(self) -> None:
        """Renews it once."""
        try:
            self._renew()
        except ResultsFailed:
            self.look()
        else:
            self.look()
            self._renewed_at = self._clock()

    def look(self) -> None:
        """Was it not renewed for too long?"""
        self.lost = self.lost or self._clock() - self._renewed_at >= self._seconds


def _change() -> bytes:
    return token_hex(8).encode()
