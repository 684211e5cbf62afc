"""Log: what this event log is, so that read tables and result stores know whether it is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain.fact import Aggregate, stream_id

if TYPE_CHECKING:
    from datetime import datetime

    from domain.fact import Caller

LOG_STREAM = stream_id("log")


class Log(Aggregate):
    """Begun once; begun anew by every restore."""

    class Event(Aggregate.Event):
        """Something that happened to the log itself."""

    class Begun(Event):
        """A new incarnation of the log.

        Fields:
            incarnation: its id.
            previous: the id of the one before, if there was one.
            previous_count: how many events that one was known to have.
            previous_root: always null; what was stored once is stored for ever.
            results: the id that the place of the result files is marked with.
        """

        TOPIC: ClassVar[str] = "log.begun"
        incarnation: str
        previous: str | None
        previous_count: int | None
        previous_root: str | None
        results: str

    def begin(
        self,
        incarnation: str,
        results: str,
        caller: Caller,
        now: datetime,
        count: int | None = None,
    ) -> None:
        """The log starts, or goes on from a backup that held `count` events.

        `results` is the id that its result store is marked with.
        """
        self.record(
            self.Begun,
            caller,
            now,
            incarnation=incarnation,
            previous=self.incarnation,
            previous_count=count,
            previous_root=None,
            results=results,
        )

    incarnation: str | None = None
    results: str | None = None

    def _begun(self, event: Begun) -> None:
        self.incarnation, self.results = event.incarnation, event.results
