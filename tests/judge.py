"""Judge: reads an event log and says which rules it breaks, by folds of its own.

It shares no code with the product: it knows topics and fields, as an auditor does.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def verdict(events: Iterable[Any], interval: float = 30.0) -> list[str]:
    """What is wrong with a log; empty where every prefix of it keeps the rules."""
    judge = Judge(interval)
    for event in events:
        judge.hear(event)
    return judge.wrongs


class Judge:
    """Five unfinished and fifty kept at every prefix; one end a task, by whoever held it."""

    def __init__(self, interval: float = 30.0) -> None:
        self.wrongs: list[str] = []
        self.interval = timedelta(seconds=interval)
        self.limits = (5, 50)
        self.tasks: dict[Any, dict[str, Any]] = {}
        self.kept: dict[Any, list[Any]] = defaultdict(list)
        self.last_id: dict[Any, str] = {}
        self.last_grant: dict[Any, Any] = {}
        self.requests: set[str] = set()

    def hear(self, event: Any) -> None:
        """Takes the next event of the log."""
        topic = type(event).TOPIC.replace(".", "_")
        getattr(self, f"_{topic}", lambda event: None)(event)

    def wrong(self, event: Any, what: str) -> None:
        """Notes a broken rule."""
        self.wrongs.append(f"{event.TOPIC} {event.originator_id}: {what}")

    def _limits_set(self, event: Any) -> None:
        self.limits = (event.unfinished, event.kept)
        self.interval = timedelta(seconds=event.download_interval)

    def _task_created(self, event: Any) -> None:
        owner = (event.project_id, event.user_id)
        if event.request_id in self.requests:
            self.wrong(event, "one request made two tasks")
        self.requests.add(event.request_id)
        if event.task_id <= self.last_id.get(owner, ""):
            self.wrong(event, "an id that does not grow")
        self.last_id[owner] = event.task_id
        self.tasks[event.originator_id] = {"owner": owner, "held": None, "ended": None}
        self.kept[owner].append(event.originator_id)
        unfinished = [each for each in self.kept[owner] if not self.tasks[each]["ended"]]
        if len(unfinished) > self.limits[0]:
            self.wrong(event, f"{len(unfinished)} unfinished")
        if len(self.kept[owner]) > self.limits[1]:
            self.wrong(event, f"{len(self.kept[owner])} kept")

    def _task_progressed(self, event: Any) -> None:
        task = self._going(event)
        task["held"] = None if event.released else (event.attempt, event.exporter)

    def _task_completed(self, event: Any) -> None:
        self._end(event)

    def _task_failed(self, event: Any) -> None:
        task = self._going(event)
        task["ended"] = event.TOPIC

    def _task_evicted(self, event: Any) -> None:
        task = self.tasks[event.originator_id]
        kept = self.kept[task["owner"]]
        if event.originator_id not in kept:
            return self.wrong(event, "removed twice")
        if event.reason == "kept_limit" and kept[0] != event.originator_id:
            self.wrong(event, "not the earliest")
        kept.remove(event.originator_id)
        task["ended"] = task["ended"] or event.TOPIC
        return None

    def _downloads_granted(self, event: Any) -> None:
        owner = (event.project_id, event.user_id)
        last = self.last_grant.get(owner)
        if last is not None and event.timestamp - last < self.interval:
            self.wrong(event, f"granted {event.timestamp - last} after the last one")
        self.last_grant[owner] = event.timestamp

    def _end(self, event: Any) -> None:
        task = self._going(event)
        if task["held"] != (event.attempt, event.exporter):
            self.wrong(event, "ended by an attempt that did not hold it")
        task["ended"] = event.TOPIC

    def _going(self, event: Any) -> dict[str, Any]:
        task = self.tasks[event.originator_id]
        if task["ended"]:
            self.wrong(event, f"after {task['ended']}")
        return task
