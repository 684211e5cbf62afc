"""Limits: the rules' numbers, kept as an event so that all nodes and every replay agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.fact import Aggregate, stream_id

if TYPE_CHECKING:
    from datetime import datetime

    from domain.commands import SetLimits

LIMITS_STREAM = stream_id("limits")


class Limits(Aggregate):
    """Unfinished tasks and kept tasks an owner, and seconds between an owner's downloads."""

    class Event(Aggregate.Event):
        """A change of the numbers."""

    class Set(Event):
        """All of the numbers, as they are from here on.

        Fields:
            unfinished: how many of an owner's tasks may be unfinished.
            kept: how many of an owner's tasks are kept.
            download_interval: seconds from one of an owner's downloads to the next.
        """

        TOPIC: ClassVar[str] = "limits.set"
        unfinished: int
        kept: int
        download_interval: float

    def change(self, command: SetLimits, now: datetime) -> None:
        """Sets the numbers."""
        self.record(
            self.Set,
            command.caller,
            now,
            unfinished=command.unfinished,
            kept=command.kept,
            download_interval=command.download_interval,
        )

    unfinished = 5
    kept = 50
    download_interval = 30.0

    def _set(self, event: Set) -> None:
        self.unfinished, self.kept = event.unfinished, event.kept
        self.download_interval = event.download_interval
