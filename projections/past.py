"""Past: what the log was at a time, and an owner's tasks then, without reading all of it."""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, cast

from domain.commands import NEWEST
from domain.owner import Owner, owner_stream
from domain.task import task_stream
from projections.changes import Changes, nothing
from projections.facts import fact_of
from projections.follower import reading
from projections.moments import EVERY, until
from projections.position import Position, apply
from projections.registry import text
from projections.replay import download_of, tasks_of
from projections.rows import FileRow, Page, TaskRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from domain.conditions import OwnerId
    from projections.follower import Follower
    from projections.log import Recorder

_BEFORE = "SELECT position FROM moments WHERE latest <= ? ORDER BY count DESC LIMIT 1"


class Past:
    """The log as it was; every method may raise `domain.refusals.Unavailable`."""

    def __init__(self, recorder: Recorder, follower: Follower) -> None:
        self._recorder = recorder
        self._follower = follower

    def position(self, at: datetime) -> int:
        """Where the log was at a time: the end of its longest beginning that is not later.

        An event that was appended after a later one counts as of that one's time: clocks differ,
        the order does not. 0: nothing had happened. `at` is in UTC.
        """
        with self._follower.caught_up() as database:
            head = Position.stored(database)
            if head.latest <= text(at):
                return head.position
            row = database.conn.execute(_BEFORE, [text(at)]).fetchone()
            position: int = row["position"] if row else 0
            events = self._recorder.select_notifications(position, EVERY, inclusive_of_start=False)
            return max((event.id for event in until(events, at)), default=position)

    def at(self, at: datetime) -> Then:
        """What there was at a time."""
        return Then(self._recorder, self.position(at))


class Then(NamedTuple):
    """The log up to a position. An owner's tasks are folded from the owner's streams alone."""

    recorder: Recorder
    position: int

    def tasks(
        self,
        owner: OwnerId,
        *,
        limit: int = 10,
        marker: str = NEWEST,
        offset: int = 0,
        **filters: str | None,
    ) -> Page:
        """The owner's tasks, as `Queries.tasks` tells those of today."""
        with reading():
            tasks = tasks_of(self._fold(self._kept(owner)))
        wanted = {column: value for column, value in filters.items() if value is not None}
        found = [task for task in tasks if all(getattr(task, k) == v for k, v in wanted.items())]
        smaller = [task for task in found if task.task_id < marker]
        return Page(smaller[offset : offset + limit], len(found))

    def task(self, owner: OwnerId, task_id: str) -> tuple[TaskRow, FileRow | None] | None:
        """One of the owner's tasks that were kept, and the file that a download had given.

        That file may be of a task that was removed, and which one it was may hang on others that
        were: on those alone that went after this one came. For the file has this one's id or a
        larger one, and the tasks that counted since this one came are kept, or went since.
        """
        with reading():
            kept = self._kept(owner)
            events = self.recorder.events_of(task_stream(task_id), self.position)
            if task_id not in kept or not events:
                return None
            changes = self._fold([*kept, *self._removed_after(events[0].id, owner)])
        for task in tasks_of(changes):
            if task.task_id == task_id:
                return task, download_of(changes, task)
        return None

    def _kept(self, owner: OwnerId) -> list[str]:
        """By the owner's last event: each carries the whole state."""
        last = self.recorder.events_of(owner_stream(owner), self.position, newest=1)
        return cast("Owner.Event", fact_of(last[0])).kept if last else []

    def _removed_after(self, position: int, owner: OwnerId) -> Iterable[str]:
        for event in self.recorder.events_of(owner_stream(owner), self.position, after=position):
            yield from _removed_by(cast("Owner.Event", fact_of(event)))

    def _fold(self, task_ids: Iterable[str]) -> Changes:
        streams = (self.recorder.events_of(task_stream(each), self.position) for each in task_ids)
        events = sorted(chain.from_iterable(streams), key=attrgetter("id"))
        changes = Changes(nothing)
        if events:
            apply(events, changes, lambda *_: None)
        return changes


def _removed_by(event: Owner.Event) -> list[str]:
    """(After an owner was closed there is nothing to ask about.)"""
    if isinstance(event, Owner.Admitted):
        return event.evicted
    return [cast("Owner.Released", event).task_id]
