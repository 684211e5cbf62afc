"""Summary: what a workbook says of itself on its last sheet (contract, section 5)."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING

from exporter.sources import DETAIL_COLUMNS, DETAIL_STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.task import Task
    from exporter.sources import BatchTask, Detail

COUNTED = {
    "Processing": "processing",
    "Success": "success",
    "Fail": "fail",
    "Waitting": "waitting",
    "FailWaitRetry": "fail_wait_retry",
    "Stopped": "stopped",
    "Removed": "removed",
}
"""Statuses as `task_progress` of IoTDA spells them."""

_STATUS = DETAIL_COLUMNS.index("status")


class Tally:
    """The details as they were read, counted by status."""

    def __init__(self) -> None:
        self.rows = 0
        self._by_status: Counter[str | None] = Counter()

    def add(self, page: Sequence[Detail]) -> None:
        """Counts a page."""
        self.rows += len(page)
        self._by_status.update(map(itemgetter(_STATUS), page))

    def pairs(self) -> list[tuple[str, str]]:
        """Total and counts; `other` are statuses that are not documented, which a view may hold."""
        known = [(COUNTED[status], self._by_status[status]) for status in DETAIL_STATUSES]
        other = self.rows - sum(count for _, count in known)
        counts = [("total", self.rows), *known, ("other", other)]
        return [(f"task_progress.{name}", str(count)) for name, count in counts]


def summary(
    task: Task, batch: BatchTask, tally: Tally, *, data_as_of: str, finished: bool, expected: int
) -> list[tuple[str, str]]:
    """Keys and values: the batch task as it was when its reading began, then the export.

    `finished` says whether the rows are all that there will ever be; `expected` is what the source
    counted after the last row. Repairs are the workbook's to add.
    """
    conditions = task.conditions
    return [
        ("task_id", batch.task_id),
        ("task_name", batch.task_name),
        ("task_type", batch.task_type),
        ("status", batch.status),
        ("create_time", batch.create_time),
        ("app_id", batch.app_id or ""),
        *tally.pairs(),
        ("export.task_id", task.task_id),
        ("export.resource_type", conditions.resource_type),
        ("export.resource_condition", conditions.resource_condition),
        ("export.export_format", conditions.export_format),
        ("export.app_type", conditions.app_type),
        ("export.app_id", conditions.scope or ""),
        ("data_as_of", data_as_of),
        ("finished", "true" if finished else "false"),
        ("rows_expected", str(expected)),
        ("rows_written", str(tally.rows)),
    ]
