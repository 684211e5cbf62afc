"""Claims: whether each answer that a client got was true, by the log, at a moment it can be of."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.judge import between
from tests.torture.bounds import Bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.judge import OwnerSeen, TaskSeen
    from tests.torture.bounds import Window
    from tests.torture.records import Exchange
    from tests.torture.story import Story

RESUMABLE = timedelta(minutes=10)
LAST = "f" * 24
FIRST_ROUND = 1.0
"""Seconds by which `Retry-After` and the clocks' reading may be rounded."""


class Claims:
    """Judges a run's exchanges against its story."""

    def __init__(self, exchanges: list[Exchange], story: Story) -> None:
        self._exchanges, self._story = exchanges, story
        self._tasks, self._owners = story.judge.tasks, story.judge.owners
        self._bounds = Bounds(exchanges, story)

    def wrongs(self) -> Iterator[str]:
        """Every answer that was not true."""
        for exchange in self._exchanges:
            if exchange.status in (None, 503):
                continue
            if fault := self._fault(exchange, self._bounds.window(exchange)):
                told = f"{exchange.kind} {exchange.status} {exchange.code}".strip()
                yield f"{told} ({exchange.request_id}): {fault}"

    def _fault(self, exchange: Exchange, window: Window) -> str | None:
        match exchange.kind:
            case "create":
                return self._of_create(exchange, window)
            case "list":
                return self._of_list(exchange, window)
            case "show":
                return self._of_show(exchange, window)
            case "delete":
                return self._of_delete(exchange, window)
            case "download" | "resume" | "head":
                return self._of_download(exchange, window)
            case "history" if exchange.status == 200 and exchange.task_id not in self._tasks:
                return "the history of a task that never was"
            case "quota" if exchange.status == 200:
                return self._of_quota(exchange, window)
        return None

    # Creates and deletes

    def _of_create(self, exchange: Exchange, window: Window) -> str | None:
        if exchange.status == 201:
            task = self._tasks.get(exchange.task_id)
            if task is None:
                return f"the task {exchange.task_id} is lost"
            if (task.request_id, task.owner) != (exchange.request_id, exchange.owner.key):
                return f"the task {exchange.task_id} is another request's or owner's"
        elif exchange.code == "IOTDA.014701":
            owner = self._owners.get(exchange.owner.key)
            limits = between(self._story.judge.limits.history, *window)
            least = min(numbers.unfinished for numbers in limits)
            if owner is None or owner.most_unfinished_between(*window) < least:
                return f"there was a free slot: {window}"
        return None

    def _of_delete(self, exchange: Exchange, window: Window) -> str | None:
        task = self._tasks.get(exchange.task_id)
        gone = task is not None and task.evicted_at is not None and task.evicted_at <= window.last
        if exchange.status == 204 and not (gone and task and task.evicted == "deleted"):
            return f"the task {exchange.task_id} is not deleted"
        if exchange.status == 404 and task and not (gone and task.evicted == "kept_limit"):
            return f"the task {exchange.task_id} is there, or was deleted"
        return None

    # Reads

    def _of_list(self, exchange: Exchange, window: Window) -> str | None:
        states = [self._selected(exchange, point) for point in self._points(exchange, window)]
        if not any(_page(state, exchange) == exchange.shown for state in states):
            return f"no prefix in {window} shows {exchange.shown} for {exchange.query}"
        if exchange.size not in {len(state) for state in states}:
            return f"no prefix in {window} counts {exchange.size}"
        return None

    def _of_show(self, exchange: Exchange, window: Window) -> str | None:
        states = {self._status(exchange, point) for point in self._points(exchange, window)}
        shown = exchange.shown[0][1] if exchange.status == 200 else None
        if shown not in states:
            return f"task {exchange.task_id} was {states} in {window}, told was {shown}"
        return None

    def _of_quota(self, exchange: Exchange, window: Window) -> str | None:
        owner = self._owners.get(exchange.owner.key)
        kept = {len(each) for each in owner.kept_between(*window)} if owner else {0}
        slots = set(between(owner.slots, *window)) if owner else {0}
        if exchange.query["kept"] not in kept or exchange.query["unfinished"] not in slots:
            return f"{exchange.query}, but {kept} kept and {slots} unfinished in {window}"
        return None

    def _points(self, exchange: Exchange, window: Window) -> list[int]:
        """The prefixes of the window at which the owner's tasks were different."""
        owner = self._owners.get(exchange.owner.key)
        changes = [number for number, _ in owner.slots] if owner else []
        return [window.first, *(n for n in changes if window.first < n <= window.last)]

    def _status(self, exchange: Exchange, point: int) -> str | None:
        """Of the exchange's task; None where the owner has none such."""
        owner, task = self._owners.get(exchange.owner.key), self._tasks.get(exchange.task_id)
        return _status_at(task, point) if owner and task and task.owner == owner.key else None

    def _selected(self, exchange: Exchange, point: int) -> list[tuple[str, str]]:
        """The owner's tasks that match, newest first."""
        owner = self._owners.get(exchange.owner.key)
        found = self._kept(owner, point) if owner else []
        if wanted := exchange.query.get("resource_condition"):
            found = [task for task in found if _json(task.conditions[3]) == _json(wanted)]
        status = exchange.query.get("status")
        told = [(task.task_id, str(_status_at(task, point))) for task in found]
        return sorted((each for each in told if status in (None, each[1])), reverse=True)

    def _kept(self, owner: OwnerSeen, point: int) -> list[TaskSeen]:
        (kept,) = owner.kept_between(point, point)
        return [self._tasks[task_id] for task_id in kept]

    # Downloads

    def _of_download(self, exchange: Exchange, window: Window) -> str | None:
        if exchange.status in (200, 206):
            return self._of_bytes(exchange, window)
        states = {self._status(exchange, point) for point in self._points(exchange, window)}
        if exchange.status == 404 and None not in states:
            return f"the task {exchange.task_id} was there in {window}"
        if exchange.code == "IOTDA.014703" and states == {"Success"}:
            return f"the task {exchange.task_id} was Success all the time"
        if exchange.code == "IOTDA.014704":
            return self._of_too_soon(exchange, window)
        return None

    def _of_bytes(self, exchange: Exchange, window: Window) -> str | None:
        files = self._story.files_between(exchange.task_id, *window)
        found = [file for file in files if file and file.task_id == exchange.file]
        if not found:
            return f"the file of {exchange.file} was not current for {exchange.task_id}"
        file = found[0]
        if exchange.etag != f'"{file.sha256}"':
            return f"the ETag is not that of the file of {exchange.file}"
        if exchange.size and exchange.size != file.size:
            return f"{exchange.size} bytes of a file of {file.size}"
        if exchange.sha256 not in ("", file.sha256):
            return f"the bytes are not those of the file of {exchange.file}"
        granted = exchange.status == 200 and exchange.kind != "head"
        if granted and exchange.request_id not in self._story.appends:
            return "bytes without a recorded grant"
        return None

    def _of_too_soon(self, exchange: Exchange, window: Window) -> str | None:
        grants = [each for each in self._story.grants[exchange.owner.key] if each[0] <= window.last]
        if not grants:
            return "nothing was granted before"
        if exchange.earliest is None or exchange.stepped:
            return None
        interval = max(
            numbers.download_interval
            for numbers in between(self._story.judge.limits.history, *window)
        )
        since = exchange.earliest - grants[-1][1]
        if since.total_seconds() > interval + FIRST_ROUND:
            return f"{since} after the last one"
        if etag := exchange.query.get("resumes"):
            return self._of_resume(exchange, window, etag)
        return None

    def _of_resume(self, exchange: Exchange, window: Window, etag: str) -> str | None:
        """A broken transfer of the same file goes on for nothing, for ten minutes."""
        files = self._story.files_between(exchange.task_id, *window)
        same = all(file and f'"{file.sha256}"' == etag for file in files)
        granted = [
            when for _, when, which in self._story.grants[exchange.owner.key] if which == etag
        ]
        lately = exchange.earliest and granted and exchange.earliest - granted[-1] < RESUMABLE / 2
        return "a broken transfer was not let go on" if same and lately else None


def _status_at(task: TaskSeen, point: int) -> str | None:
    if task.evicted_at is not None and task.evicted_at <= point:
        return None
    before = [status for number, status in task.statuses if number <= point]
    return before[-1] if before else None


def _page(state: list[tuple[str, str]], exchange: Exchange) -> tuple[tuple[str, str], ...]:
    marker, limit = exchange.query.get("marker", LAST), exchange.query["limit"]
    return tuple(each for each in state if each[0] < marker)[:limit]


def _json(text: str | None) -> object:
    return json.loads(text or "null")
