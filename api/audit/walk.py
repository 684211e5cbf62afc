"""Walk: along the stored events from the first one on, while the tree over them grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.audit.leaves import TILE
from domain.log import LOG_STREAM
from domain.refusals import Refusal
from projections.follower import reading
from projections.seal import Seal, leaf

if TYPE_CHECKING:
    from eventsourcing.persistence import ApplicationRecorder

PAGE = 1000
"""Events that are read at a time."""


class Altered(Refusal):
    """The stored events are not those that were signed; the text says how that is known."""


class Walk:
    """Believes no table: every event that is passed was read and hashed as it is stored.

    `begun` holds at which ranks the log itself began, or began anew.
    """

    def __init__(self, recorder: ApplicationRecorder) -> None:
        self._recorder = recorder
        self._position: int | None = None
        self._tail: list[bytes] = []
        self.seal = Seal()
        self.begun: list[int] = []

    @property
    def position(self) -> int:
        """Of the last event that was passed; 0 before the first."""
        return self._position or 0

    @property
    def tail(self) -> bytes:
        """The hashes that fill no tile yet."""
        return b"".join(self._tail)

    def page(self, size: int) -> list[tuple[int, bytes]]:
        """Goes on by a page, at most to `size` events; the tiles that became full, by number.

        Raises:
            Altered: there are not so many events.
            Unavailable: the store does not answer.
        """
        count = self.seal.count
        with reading():
            events = self._recorder.select_notifications(
                self._position, min(PAGE, size - count), inclusive_of_start=False
            )
        if not events:
            raise Altered(f"The event log ends after {count} events, and there were {size}.")
        self.begun += [
            count + index for index, event in enumerate(events) if event.originator_id == LOG_STREAM
        ]
        hashes = list(map(leaf, events))
        self.seal, self._position = self.seal.grown(hashes), events[-1].id
        return self._full(count // TILE, hashes)

    def _full(self, number: int, hashes: list[bytes]) -> list[tuple[int, bytes]]:
        """What is left over after the last full tile waits for the next page."""
        self._tail += hashes
        full = [self._tail[start : start + TILE] for start in range(0, len(self._tail), TILE)]
        self._tail = full.pop() if len(full[-1]) < TILE else []
        return list(enumerate(map(b"".join, full), number))
