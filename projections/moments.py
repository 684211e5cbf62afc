"""Moments: what time it was in the log, where clocks differ and only the order is sure."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from projections.facts import fact_of
from projections.registry import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eventsourcing.persistence import Notification

    from domain.fact import Fact
    from projections.changes import Row

EVERY = 1000
"""Events between two rows of the table `moments`: what is read at most to find a position."""

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class Clock:
    """The latest time of the events seen so far: it never goes back, as theirs may."""

    def __init__(self, latest: str = "") -> None:
        self.latest = datetime.fromisoformat(latest) if latest else BEFORE_ALL

    def see(self, event: Notification, fact: Fact | None = None) -> None:
        """Takes in the next event, and its fact where that is known already."""
        time = time_of(event, fact)
        if time > self.latest:
            self.latest = time

    @property
    def text(self) -> str:
        """The time as the tables hold it; empty before every event."""
        return "" if self.latest is BEFORE_ALL else text(self.latest)


def time_of(event: Notification, fact: Fact | None = None) -> datetime:
    """When an event happened, in UTC; before everything where that cannot be read."""
    try:
        time = (fact or fact_of(event)).timestamp
        return max(BEFORE_ALL, time).astimezone(UTC)
    except Exception:  # noqa: BLE001 (whatever it is: an event without a time is later than none)
        return BEFORE_ALL


def moment(count: int, position: int, latest: str) -> Row:
    """A row of `moments`: the first `count` events end at a position, and are not later."""
    return {"count": count, "position": position, "latest": latest}


def until(events: Iterable[Notification], at: datetime) -> Iterator[Notification]:
    """The events before the first that is later than a time."""
    return takewhile(lambda event: time_of(event) <= at, events)
