"""Story: the event log as the judge heard it, and what it knew after how many events."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from tests.judge import FileSeen, Judge, between, told
from tests.torture.stored import stored_events

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any

    from tests.judge import OwnerKey, Told

OF_FILES = ("task.completed", "task.evicted")


class Span(NamedTuple):
    """The first and the last event of an append, counted from the log's beginning."""

    first: int
    last: int


class Story:
    """A log that was heard to its end.

    `appends` are by request; `files` tells of each conditions which file became current when, and
    `grants` of each owner when downloads were granted, by the service's clock.
    """

    def __init__(self, stored_events: Iterable[Any]) -> None:
        self.judge = Judge()
        self.topics: Counter[str] = Counter()
        self.appends: dict[str, Span] = {}
        self.files: dict[Any, list[tuple[int, FileSeen | None]]] = defaultdict(lambda: [(0, None)])
        self.grants: dict[OwnerKey, list[tuple[int, datetime, str]]] = defaultdict(list)
        for stored in stored_events:
            self._hear(told(stored))
        self.judge.rest()

    @classmethod
    def of(cls, url: str) -> Story:
        """The log in an event store; services may be running."""
        return cls(stored_events(url))

    @property
    def unfinished(self) -> list[str]:
        """The tasks that have neither ended nor gone."""
        return [
            task.task_id
            for task in self.judge.tasks.values()
            if task.status == "Processing" and task.evicted is None
        ]

    @property
    def held(self) -> list[str]:
        """Those of them that an exporter says it works on."""
        return [each for each in self.unfinished if self.judge.tasks[each].held]

    def files_between(self, task_id: str, first: int, last: int) -> list[FileSeen | None]:
        """What was current for a task's conditions, at each prefix of `first` to `last` events."""
        return between(self.files[self.judge.tasks[task_id].conditions], first, last)

    def _hear(self, event: Told) -> None:
        self.judge.hear(event)
        number, request = self.judge.heard, event.fields["request_id"]
        span = self.appends.get(request)
        self.appends[request] = Span(span.first if span else number, number)
        self.topics[event.topic] += 1
        if event.topic in OF_FILES:
            self._note_file(event)
        elif event.topic == "downloads.granted":
            owner = (event.fields["project_id"], event.fields["user_id"])
            grant = (number, event.fields["timestamp"], event.fields["etag"])
            self.grants[owner].append(grant)

    def _note_file(self, event: Told) -> None:
        task = self.judge._of_stream[event.stream]
        file = self.judge.current.get(task.conditions)
        history = self.files[task.conditions]
        if history[-1][1] != file:
            history.append((self.judge.heard, file))
