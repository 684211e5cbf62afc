"""Timeline: a task's own events as a story, each attempt's progress folded into one bar."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.console.words import plural, size
from api.exports import told
from domain.downloads import Downloads
from domain.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from domain.fact import Fact

GAP_SECONDS = 5.0
"""A wait that is shorter is not told, but for the silence of an exporter that was lost."""

RAW_MOST = 20
"""Of an attempt's events so many are told raw, the latest: there may be one for every second."""

DOWNLOADS_LOOKED_AT = 200
"""Of an owner's latest downloads so many are looked through for those of a task."""

_ENDS = {"kept_limit": "Removed: no more are kept", "deleted": "Deleted"}


@dataclass(slots=True)
class Bar:
    """How far an attempt came; `rate` in rows a second, once there is one."""

    rows: int
    total: int | None
    percent: int
    rate: float | None = None


@dataclass(slots=True)
class Item:
    """Something that happened; `wait` is for how many seconds nothing did before it."""

    kind: str
    title: str
    at: datetime
    detail: str = ""
    wait: float | None = None
    bar: Bar | None = None
    task: str | None = None
    events: int = 0
    raw: list[dict[str, Any]] = field(default_factory=list)

    def add(self, fact: Fact) -> None:
        """Keeps what is told raw of it."""
        self.events += 1
        self.raw = [*self.raw, told(fact)][-RAW_MOST:]


def timeline(facts: Iterable[Fact], downloads: Iterable[Fact], task_id: str) -> list[Item]:
    """A task's events and its downloads, oldest first, as items."""
    story = _Story()
    for fact in facts:
        story.add(fact)
    for fact in downloads:
        if isinstance(fact, Downloads.Granted) and fact.task_id == task_id:
            story.put("downloaded", "Downloaded", fact)
    return sorted(story.items, key=lambda item: item.at)


class _Story:
    def __init__(self) -> None:
        self.items: list[Item] = []
        self._attempt: Item | None = None
        self._number = 0
        self._idle_since: datetime | None = None
        self._heard_at: datetime | None = None

    def add(self, fact: Fact) -> None:
        match fact:
            case Task.Created():
                self.put("created", "Created", fact)
                self._idle_since = fact.timestamp
            case Task.Progressed(released=True):
                self._handed_back(fact)
            case Task.Progressed():
                self._progressed(fact)
            case Task.Completed():
                self._completed(fact)
            case Task.Failed():
                self.put("failed", "Failed", fact, f"{fact.code}: {fact.message}")
            case Task.Evicted():
                item = self.put("evicted", _ENDS.get(fact.reason, "Removed"), fact)
                item.task = fact.by_task

    def put(self, kind: str, title: str, fact: Fact, detail: str = "") -> Item:
        item = Item(kind, title, fact.timestamp, detail)
        item.add(fact)
        self.items.append(item)
        return item

    def _progressed(self, fact: Task.Progressed) -> None:
        if self._attempt is None or fact.attempt != self._number:
            self._claimed(fact)
        else:
            self._attempt.add(fact)
        self._move(fact.rows, fact.total, fact.progress, fact.timestamp)

    def _claimed(self, fact: Task.Progressed) -> None:
        lost = self._attempt is not None
        title = f"Taken over by {fact.exporter}" if lost else f"Claimed by {fact.exporter}"
        detail = "the exporter before was silent for too long" if lost else ""
        self._attempt = self.put("attempt", title, fact, detail)
        since = self._heard_at if lost else self._idle_since
        waited = (fact.timestamp - since).total_seconds() if since else 0.0
        self._attempt.wait = waited if lost or waited >= GAP_SECONDS else None
        self._number = fact.attempt

    def _handed_back(self, fact: Task.Progressed) -> None:
        item = self.put("handed-back", f"Handed back by {fact.exporter}", fact, fact.reason or "")
        if fact.wait:
            item.detail += f"; not taken up for {fact.wait:g} s"
        self._attempt, self._idle_since = None, fact.timestamp

    def _completed(self, fact: Task.Completed) -> None:
        self._move(fact.rows, fact.total, 100, fact.timestamp)
        rows = plural(fact.rows, "row", "rows")
        self.put("completed", "Ready", fact, f"{rows}, {size(fact.size)}")

    def _move(self, rows: int, total: int | None, percent: int, at: datetime) -> None:
        if self._attempt is None:
            return
        seconds = (at - self._attempt.at).total_seconds()
        rate = rows / seconds if rows and seconds >= 0.5 else None
        self._attempt.bar = Bar(rows, total, percent, rate)
        self._heard_at = at
