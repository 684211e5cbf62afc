"""Log: an event log as an auditor reads it, from its first stored byte to its last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.audit.leaves import Leaves
from api.audit.lineage import BEGUN, Lineage
from api.audit.stored import Unreadable, leaves

if TYPE_CHECKING:
    from api.audit.stored import Events, Row


class Log:
    """A log as it was read: its leaves, its incarnations, and whether all of it could be read.

    `found` are the events, by rank, of the stream and topic that are looked for, if any.
    """

    def __init__(self, events: Events, wanted: tuple[str, str] | None = None) -> None:
        self.events = events
        self.lineage = Lineage()
        self.found: list[tuple[int, Row]] = []
        self._wanted = wanted
        self.damaged = False
        self._joined = bytearray()
        try:
            self._read()
        except Unreadable:
            self.damaged = True
        self.leaves = Leaves.joined(self._joined)

    @property
    def count(self) -> int:
        """How many events there are."""
        return self.leaves.count

    def kept(self, incarnation: str) -> int:
        """How many of an incarnation's events the log must still hold, if they were sealed."""
        ended = self.lineage.next_after(incarnation)
        return ended.rank if ended else self.count

    def has_ended(self, incarnation: str) -> bool:
        """Was the log restored since?"""
        return self.lineage.next_after(incarnation) is not None

    def _read(self) -> None:
        rank = 0
        for page in self.events.pages():
            self._joined += b"".join(leaves(page))
            for at, row in enumerate(page):
                if row[3] == BEGUN:
                    self.lineage.add(rank + at, row)
                if (row[1], row[3]) == self._wanted:
                    self.found.append((rank + at, row))
            rank += len(page)
