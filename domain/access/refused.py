"""Refused: how often somebody was refused, counted elsewhere and kept here as summaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from domain.fact import Aggregate, stream_id, values_of

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.fact import Caller


@dataclass(frozen=True, slots=True)
class Summary:
    """The refusals of one user, by one access key or none, in one count of a side log.

    `counter` is the side log's id; it numbers its counts upwards, each a minute or longer. `since`
    and `until` are the times of the first and the last of them, `refusals` says how many there
    were by error code.
    """

    user_id: str
    access_key: str | None
    counter: str
    number: int
    since: datetime
    until: datetime
    refusals: dict[str, int]

    def stream(self) -> UUID:
        """The stream that it belongs to: of one counter alone, so that no two contend."""
        return stream_id("refused", self.counter, self.user_id, self.access_key or "")


class Refused(Aggregate):
    """What was refused to a user, by an access key or without one, as one counter has it.

    Each event says all there is to know for the next: the last count that is in the log.
    """

    # Events: stored under their topics for ever; a changed class needs an upcaster.

    class Event(Aggregate.Event):
        """Something that happened to the count."""

    class Counted(Event):
        """What one counter refused to one user in a minute or longer.

        Fields:
            user_id: to whom.
            access_key: by which access key; null without one.
            counter: the id of the side log that counted.
            number: which of its counts this is.
            since: the time of the first refusal.
            until: the time of the last.
            refusals: how many there were, by error code.
        """

        TOPIC: ClassVar[str] = "refused.counted"
        user_id: str
        access_key: str | None
        counter: str
        number: int
        since: datetime
        until: datetime
        refusals: dict[str, int]

    # Decisions

    def count(self, summary: Summary, caller: Caller, now: datetime) -> None:
        """Takes in a summary, once."""
        if summary.number > self.number:
            self.record(self.Counted, caller, now, **values_of(summary))

    # Evolutions: they never refuse.

    number = 0

    def _counted(self, event: Counted) -> None:
        self.number = event.number
