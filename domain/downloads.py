"""Downloads: when the owner last got one; a stream of its own, so that creates do not wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, ClassVar

from domain.fact import Aggregate, stream_id
from domain.refusals import DownloadTooSoon

if TYPE_CHECKING:
    from uuid import UUID

    from domain.commands import GrantDownload
    from domain.conditions import OwnerId

RESUMABLE = timedelta(minutes=10)
RESUMABLE_MOST = 50


def downloads_stream(owner: OwnerId) -> UUID:
    """The id of the stream of an owner's downloads."""
    return stream_id("downloads", *owner)


class Downloads(Aggregate):
    """Each event carries the whole state: the last grant, and what may still be resumed."""

    class Event(Aggregate.Event):
        """Something about the owner's downloads."""

    class Granted(Event):
        """The owner was let have a file's bytes.

        Fields:
            project_id: the owner's project.
            user_id: the owner.
            task_id: the task that was asked for.
            file: the key of the file that was sent, which may be a later task's.
            etag: the ETag of its bytes.
            recent: ETags granted in the last ten minutes, and when: what may be resumed.
        """

        TOPIC: ClassVar[str] = "downloads.granted"
        project_id: str
        user_id: str
        task_id: str
        file: str
        etag: str
        recent: dict[str, str]

    def grant(self, command: GrantDownload, interval: float, now: datetime) -> None:
        """One download in `interval` seconds (contract, section 2.5).

        Raises:
            DownloadTooSoon: the last one is less than that ago.
        """
        wait = self.seconds_to_next(interval, now)
        if wait > 0:
            raise DownloadTooSoon(interval, max(1, ceil(wait)))
        recent = {etag: at for etag, at in self.recent.items() if self._lately(at, now)}
        recent.pop(command.etag, None)
        newest = list(recent.items())[-(RESUMABLE_MOST - 1) :]
        self.record(
            self.Granted,
            command.caller,
            now,
            task_id=command.task_id,
            file=command.file_key,
            etag=command.etag,
            recent={**dict(newest), command.etag: self.timed(now).isoformat()},
            **command.owner._asdict(),
        )

    def seconds_to_next(self, interval: float, now: datetime) -> float:
        """How long until a download can be granted; 0 or less: at once.

        Where the clock was set back, longer than the interval; but none is none.
        """
        if self.last is None or not interval:
            return 0.0
        return interval - (now - self.last).total_seconds()

    def may_resume(self, etag: str, now: datetime) -> bool:
        """Was this ETag granted in the last ten minutes? Then a broken transfer goes on, free."""
        return etag in self.recent and self._lately(self.recent[etag], now)

    @staticmethod
    def _lately(at: str, now: datetime) -> bool:
        return now - datetime.fromisoformat(at) <= RESUMABLE

    def __init__(self) -> None:
        self.last: datetime | None = None
        self.recent: dict[str, str] = {}

    def _granted(self, event: Granted) -> None:
        self.last, self.recent = event.timestamp, event.recent
