"""Watcher: reads the log on for all who look at a page, once for each process."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from anyio import CapacityLimiter, to_thread

from domain.conditions import OwnerId
from domain.downloads import Downloads
from domain.refusals import Unavailable
from domain.task import Task
from projections.facts import fact_of
from projections.follower import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from eventsourcing.persistence import Notification

    from domain.fact import Fact
    from domain.journal import Journal

LOOK_SECONDS = 0.5
"""How often the log is looked at, while anybody looks at a page."""

PAGE = 500
"""Events that are read at a look."""

UNREAD_MOST = 200
"""News that wait for one viewer; beyond them it is told to look anew."""

OWNERS_KNOWN = 10_000
"""Streams of which it is known whose they are; beyond them all are asked for anew."""

_PEOPLE = ("user.", "project.")
"""Topics after which a session may no longer hold."""

_LOGGER = logging.getLogger(__name__)


class News(NamedTuple):
    """What happened at a position: ids and numbers alone. `owner` is None where it is for all."""

    position: int
    owner: OwnerId | None
    what: str
    task_id: str | None = None
    rows: int | None = None
    total: int | None = None
    progress: int | None = None


class Viewer:
    """One stream to a browser: the news of an owner, or of all owners (None)."""

    def __init__(self, owner: OwnerId | None) -> None:
        self.owner = owner
        self._unread: asyncio.Queue[News] = asyncio.Queue()

    async def next(self) -> News:
        """Waits for news."""
        return await self._unread.get()

    def tell(self, news: News) -> None:
        """Keeps news until they are asked for; too many become one, to look anew."""
        if self._unread.qsize() >= UNREAD_MOST:
            while not self._unread.empty():
                self._unread.get_nowait()
            news = News(news.position, None, "stale")
        self._unread.put_nowait(news)


def _is_for(owner: OwnerId | None, news: News) -> bool:
    return news.owner is not None and owner in (None, news.owner)


class Watcher:
    """Of one process and its event loop. What it costs the store does not depend on how many look:
    while nobody does, nothing is read.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._viewers: dict[OwnerId | None, set[Viewer]] = {}
        self._owners: dict[UUID, tuple[OwnerId, str]] = {}
        self._position: int | None = None
        self._watching: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._thread = CapacityLimiter(1)

    @contextmanager
    def viewing(self, owner: OwnerId | None) -> Iterator[Viewer]:
        """A viewer that hears all that is appended from here on."""
        viewer = Viewer(owner)
        self._viewers.setdefault(owner, set()).add(viewer)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            yield viewer
        finally:
            self._viewers[owner].remove(viewer)
            if not self._viewers[owner]:
                del self._viewers[owner]

    def viewers(self, owner: OwnerId | None) -> int:
        """How many look on as this owner does."""
        return len(self._viewers.get(owner, ()))

    async def since(self, after: int, owner: OwnerId | None) -> list[News]:
        """What was appended after a position, of people too; or, where that is much, that one is to
        look anew.
        """
        await self._begun.wait()  # or what comes before the first look would be lost
        found = await to_thread.run_sync(self._read, after, PAGE, limiter=self._thread)
        if len(found) == PAGE:
            return [News(found[-1].position, None, "stale")]
        return [each for each in found if each.what == "people" or _is_for(owner, each)]

    async def _watch(self) -> None:
        while self._viewers:
            try:
                await self._look()
            except Unavailable:
                pass  # asked again at the next look
            except Exception:
                _LOGGER.exception("the log cannot be watched")
            await asyncio.sleep(LOOK_SECONDS)
        self._watching = self._position = None
        self._begun.clear()

    async def _look(self) -> None:
        """Reads on, and tells. Raises Unavailable."""
        if self._position is None:
            self._position = await to_thread.run_sync(self._head, limiter=self._thread)
            self._begun.set()
        found = await to_thread.run_sync(self._read, self._position, PAGE, limiter=self._thread)
        for news in found:
            self._position = news.position
            self._tell(news)

    def _tell(self, news: News) -> None:
        if news.what == "other":
            return
        if news.owner is None:
            told = [viewer for viewers in self._viewers.values() for viewer in viewers]
        else:
            told = [*self._viewers.get(news.owner, ()), *self._viewers.get(None, ())]
        for viewer in told:
            viewer.tell(news)

    # In a thread

    def _head(self) -> int:
        with reading():
            return self._journal.recorder.max_notification_id() or 0

    def _read(self, after: int, limit: int) -> list[News]:
        with reading():
            found = self._journal.recorder.select_notifications(after + 1, limit)
        return [self._news(event) for event in found]

    def _news(self, event: Notification) -> News:
        if event.topic.startswith(_PEOPLE):
            return News(event.id, None, "people")
        try:
            return self._of(event.id, fact_of(event))
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 (a damaged event is no news)
            _LOGGER.debug("event %s cannot be read", event.id)
            return News(event.id, None, "other")

    def _of(self, position: int, fact: Fact) -> News:
        if isinstance(fact, Downloads.Granted):
            owner = OwnerId(fact.project_id, fact.user_id)
            return News(position, owner, "downloaded", fact.task_id)
        if not isinstance(fact, Task.Event):
            return News(position, None, "other")
        owner, task_id = self._task(fact)
        what = fact.TOPIC.partition(".")[2]
        if isinstance(fact, Task.Progressed):
            what = "released" if fact.released else what
            return News(position, owner, what, task_id, fact.rows, fact.total, fact.progress)
        return News(position, owner, what, task_id)

    def _task(self, fact: Task.Event) -> tuple[OwnerId, str]:
        """Whose task it is, and its id: its first fact says so."""
        stream = fact.originator_id
        if stream not in self._owners:
            if len(self._owners) >= OWNERS_KNOWN:
                self._owners.clear()
            first = fact if isinstance(fact, Task.Created) else self._journal.part(stream, 1)[0]
            assert isinstance(first, Task.Created)
            self._owners[stream] = OwnerId(first.project_id, first.user_id), first.task_id
        return self._owners[stream]
