"""Watch: which tasks an observer may claim now, by its own monotonic clock alone."""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from projections.rows import TaskRow


class _Sight(NamedTuple):
    """A task's version, when it was first seen at it, and whether an exporter held it then."""

    version: int
    since: float
    held: bool


class Watch:
    """How long each unfinished task has stood still before this observer's eyes.

    Nobody compares clocks: what happened before the first look counts for nothing, so that a fresh
    observer waits one full lease.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._sights: dict[str, _Sight] = {}

    def first(self, work: Iterable[TaskRow]) -> TaskRow | None:
        """The first of all unfinished tasks that may be claimed now; the rest are not looked at.

        A task that was never claimed is free at once, a released one after its wait, and a held
        one after its holder's lease, counted from when it was first seen as it stands. Held ones
        come first in `work`: the turn of an abandoned one's owner was lost. What was looked for
        to the end, and is not in `work`, is forgotten.
        """
        seen: dict[str, _Sight] = {}
        for row in work:
            # Not before the row was read: what it tells may be of a moment ago.
            now = self._clock()
            sight = self._sight(row, now)
            if now - sight.since >= _patience(row):
                self._remember(seen, row)
                return row
            seen[row.task_id] = sight
        self._sights = seen
        return None

    def _remember(self, seen: dict[str, _Sight], last: TaskRow) -> None:
        """What stands behind the last one was not looked at, and may still be as it was."""
        before = self._sights
        if not last.held:
            before = {task_id: sight for task_id, sight in before.items() if not sight.held}
        self._sights = before | seen

    def lose(self, row: TaskRow) -> None:
        """The task could not be claimed as `row` shows it, and never can: wait for a newer one."""
        self._sights[row.task_id] = _Sight(row.version, inf, row.held)

    def _sight(self, row: TaskRow, now: float) -> _Sight:
        sight = self._sights.get(row.task_id)
        if sight and sight.version == row.version:
            return sight
        return _Sight(row.version, now, row.held)


def _patience(row: TaskRow) -> float:
    """Seconds that a task must have stood still before it may be claimed."""
    return row.lease if row.held else row.wait
