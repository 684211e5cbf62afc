"""Watch: which tasks an observer may claim now, by its own monotonic clock alone."""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from projections.rows import TaskRow


class _Sight(NamedTuple):
    """A task's version, and when it was first seen at it."""

    version: int
    since: float


class Watch:
    """How long each unfinished task has stood still before this observer's eyes.

    Nobody compares clocks: what happened before the first look counts for nothing, so that a fresh
    observer waits one full lease.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._sights: dict[str, _Sight] = {}

    def free(self, work: Iterable[TaskRow]) -> list[TaskRow]:
        """Those of all unfinished tasks that may be claimed now.

        A task that was never claimed is free at once, a released one after its wait, and a held
        one after its holder's lease, counted from when it was first seen as it stands. Abandoned
        ones come first: their owners' turn was lost, and `work`, which still counts them as
        running, has put them last. Else the order is kept. What is not in `work` is forgotten.
        """
        now, rows = self._clock(), list(work)
        self._sights = {row.task_id: self._sight(row, now) for row in rows}
        free = [row for row in rows if now - self._sights[row.task_id].since >= _patience(row)]
        return sorted(free, key=lambda row: not row.held)

    def lose(self, row: TaskRow) -> None:
        """The task could not be claimed as `row` shows it, and never can: wait for a newer one."""
        self._sights[row.task_id] = _Sight(row.version, inf)

    def _sight(self, row: TaskRow, now: float) -> _Sight:
        sight = self._sights.get(row.task_id)
        return sight if sight and sight.version == row.version else _Sight(row.version, now)


def _patience(row: TaskRow) -> float:
    """Seconds that a task must have stood still before it may be claimed."""
    return row.lease if row.held else row.wait
