"""Lineage: which incarnations a log had, and what each restore kept, as its own events say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.audit.stored import facts_of
from domain.log import LOG_STREAM, Log

if TYPE_CHECKING:
    from api.audit.stored import Events, Row

BEGUN = Log.Begun.TOPIC


@dataclass(frozen=True, slots=True)
class Begun:
    """Where an incarnation began, and of which one it kept how many events."""

    rank: int
    position: int
    incarnation: str
    previous: str | None
    kept: int | None


class Lineage:
    """The incarnations of a log in their order.

    A restore counts only where it says truly what it kept: an event that pretends to be one changes
    nothing for older checkpoints.
    """

    def __init__(self) -> None:
        self.begun: list[Begun] = []
        self.latest: str | None = None
        """What the last of all says, be it true or not."""

    def add(self, rank: int, row: Row) -> None:
        """The next event of the log, if it begins an incarnation."""
        begun = _read(rank, row)
        if begun is None:
            return
        self.latest = begun.incarnation
        last = self.begun[-1] if self.begun else None
        if last is None or (begun.previous, begun.kept) == (last.incarnation, rank):
            self.begun.append(begun)

    @property
    def current(self) -> str | None:
        """The incarnation that the log is now."""
        return self.begun[-1].incarnation if self.begun else None

    @property
    def restores(self) -> list[Begun]:
        """The beginnings that went on from a backup."""
        return self.begun[1:]

    def next_after(self, incarnation: str) -> Begun | None:
        """The restore that ended an incarnation."""
        return next((each for each in self.restores if each.previous == incarnation), None)

    def knows(self, incarnation: str) -> bool:
        """Was the log ever this one? One that says nothing of itself may be any."""
        return not self.begun or any(each.incarnation == incarnation for each in self.begun)


def current_of(events: Events) -> str | None:
    """The incarnation that a log says it is, by the last event of its own stream."""
    last = events.last(LOG_STREAM.hex)
    begun = _read(0, last) if last else None
    return begun.incarnation if begun else None


def _read(rank: int, row: Row) -> Begun | None:
    facts = facts_of(row)
    if row[1] != LOG_STREAM.hex or not isinstance(facts.get("incarnation"), str):
        return None
    previous, kept = facts.get("previous"), facts.get("previous_count")
    return Begun(rank, row[0], facts["incarnation"], previous, kept)
