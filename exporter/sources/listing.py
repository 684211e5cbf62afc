"""Listing: the local source as IoTDA's own calls tell of it, page by page, newest first."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.sources.sql import BY_STATUS, DETAILS, TASKS, batch_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.sources import BatchTask, Detail
    from exporter.sources.sql import Reading, SqlSource

COUNT_SECONDS = 1.0
"""How long a count holds of a batch task that nothing is seen to happen to."""

COUNTS_KEPT = 1_000
SMALLEST_SEQ, LARGEST_SEQ = -(2**63), 2**63 - 1

_COUNT_OF_TASKS = "SELECT count(*) FROM batch_tasks "
_COUNT_OF_DETAILS = "SELECT count(*) FROM batch_task_details "
_NEWEST = "SELECT seq FROM batch_task_details WHERE task_id = ? ORDER BY seq DESC LIMIT 1"


class Page(NamedTuple):
    """Rows, how many match in all, and the last one's id: the marker of the next page."""

    rows: list[Any]
    matching: int
    marker: str | None


@dataclass(frozen=True, slots=True)
class _Count:
    """Details counted at a moment, the batch task's status and its newest detail being such."""

    by_status: dict[str, int]
    state: tuple[str, int | None]
    at: float


class Listing:
    """Batch tasks of one source; safe for threads. Every method raises SourceFailed.

    A page costs what its own rows and those it skips cost: details are found by `seq`. Those of a
    finished batch task, and those of each status, are counted once a second at most, unless the
    status or the newest detail has changed.
    """

    def __init__(self, source: SqlSource, clock: Callable[[], float] = monotonic) -> None:
        self._source, self._clock = source, clock
        self._counts: dict[str, _Count] = {}
        self._lock = Lock()

    def task(self, project_id: str, task_id: str) -> BatchTask | None:
        """A batch task of the project; its `total` is left 0."""
        found = self.page(project_id, {"task_id": task_id}, limit=1)
        return found[0] if found else None

    def page(
        self, project_id: str, wanted: Mapping[str, str], *, limit: int, marker: str = ""
    ) -> list[BatchTask]:
        """As `tasks`, without the number of all that match, which costs more the more there are."""
        with closing(self._source.reading()) as reading:
            return _page(reading, {"project_id": project_id, **wanted}, limit, marker)

    def tasks(
        self,
        project_id: str,
        wanted: Mapping[str, str],
        *,
        limit: int,
        marker: str = "",
        offset: int = 0,
    ) -> Page:
        """Batch tasks whose id is smaller than `marker`, if there is one, by falling id.

        `wanted` are columns and their values.
        """
        matching = {"project_id": project_id, **wanted}
        where, values = _where(matching)
        with closing(self._source.reading()) as reading:
            tasks = _page(reading, matching, limit, marker, offset)
            count = reading.rows(_COUNT_OF_TASKS + where, *values)[0][0]
        return Page(tasks, count, tasks[-1].task_id if tasks else None)

    def by_status(self, task: BatchTask) -> dict[str, int]:
        """How many details there are of each status that occurs."""
        with closing(self._source.reading()) as reading:
            return self._counted(reading, task)

    def details(
        self, task: BatchTask, wanted: Mapping[str, str], *, limit: int, marker: str, offset: int
    ) -> Page:
        """Details whose id is smaller than `marker`, newest first; `wanted` as of `tasks`."""
        where, values = _where({"task_id": task.task_id, **wanted})
        largest = seq_of(marker) - 1
        with closing(self._source.reading()) as reading:
            count = self._matching(reading, task, wanted)
            if largest < SMALLEST_SEQ:
                return Page([], count, None)
            found = reading.rows(
                f"{DETAILS} {where} AND seq <= ? ORDER BY seq DESC LIMIT ? OFFSET ?",
                *values,
                min(largest, LARGEST_SEQ),
                limit,
                offset,
            )
        rows: list[Detail] = [row[1:] for row in found]
        return Page(rows, count, id_of(found[-1][0]) if found else None)

    def _matching(self, reading: Reading, task: BatchTask, wanted: Mapping[str, str]) -> int:
        """How many match: never an old number while details may still come or go."""
        if task.finished and not wanted:
            return sum(self._counted(reading, task).values())
        where, values = _where({"task_id": task.task_id, **wanted})
        return int(reading.rows(_COUNT_OF_DETAILS + where, *values)[0][0])

    def _counted(self, reading: Reading, task: BatchTask) -> dict[str, int]:
        found = reading.rows(_NEWEST, task.task_id)
        state, now = (task.status, found[0][0] if found else None), self._clock()
        with self._lock:
            known = self._counts.get(task.task_id)
        if known and known.state == state and now - known.at < COUNT_SECONDS:
            return known.by_status
        counted = dict(reading.rows(BY_STATUS, task.task_id))
        with self._lock:
            self._counts.pop(task.task_id, None)
            self._counts[task.task_id] = _Count(counted, state, now)
            if len(self._counts) > COUNTS_KEPT:
                del self._counts[next(iter(self._counts))]
        return counted


def _page(
    reading: Reading, matching: Mapping[str, str], limit: int, marker: str, offset: int = 0
) -> list[BatchTask]:
    where, values = _where(matching)
    behind = (" AND task_id < ?", marker) if marker else ("",)
    found = reading.rows(
        f"{TASKS} {where}{behind[0]} ORDER BY task_id DESC LIMIT ? OFFSET ?",
        *values,
        *behind[1:],
        limit,
        offset,
    )
    return [batch_task(row, 0) for row in found]


def id_of(seq: int) -> str:
    """A detail's id: 24 hexadecimal digits, in the order of `seq`."""
    return f"{seq - SMALLEST_SEQ:024x}"


def seq_of(marker: str) -> int:
    """The `seq` of an id; beyond every `seq` where it is the id of none."""
    return int(marker, 16) + SMALLEST_SEQ


def _where(matching: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The columns are this program's own words; the values are not, and never part of the text."""
    return "WHERE " + " AND ".join(f"{name} = ?" for name in matching), (*matching.values(),)
