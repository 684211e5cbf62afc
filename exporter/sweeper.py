"""Sweeper: the only one that deletes result files, and only what the log proves dead."""

from __future__ import annotations

import logging
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from domain.journal import utc_now
from domain.refusals import Refusal
from exporter.results import ResultsHeld, parse_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from domain.ledger import Ledger
    from exporter.results import Listed, Results
    from projections.queries import Queries
    from projections.rows import FileRow

log = logging.getLogger(__name__)


class Swept(NamedTuple):
    """How many files were deleted and kept; `unknown` were kept because the log tells nothing."""

    deleted: int
    kept: int
    unknown: int


class Fate(Enum):
    """What becomes of a file."""

    DELETED = "deleted"
    KEPT = "kept"
    UNKNOWN = "unknown"


class Sweeper:
    """Deletes the files of attempts that lost, of tasks that ended otherwise, and superseded ones.

    `sweep_after` is how long a superseded file stays, longer than any download.
    """

    def __init__(
        self,
        ledger: Ledger,
        queries: Queries,
        results: Results,
        *,
        sweep_after: timedelta,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._ledger, self._queries, self._results = ledger, queries, results
        self._sweep_after, self._clock = sweep_after, clock

    def sweep(self) -> Swept:
        """Looks at every file once; what it leaves, the next sweep finds again.

        Raises:
            Unavailable: log or read tables cannot be read.
            ResultsFailed: the place of the results fails.
        """
        counts = dict.fromkeys(Fate, 0)
        # Listed before the log is asked: whoever made a listed file had its claim recorded before,
        # so that what the log says afterwards is at least as new as the file. The other way round,
        # a file could be judged by a log that does not know its attempt yet.
        for listed in list(self._results.list()):
            fate = self._fate(listed)
            if fate is Fate.DELETED:
                fate = self._delete(listed)
            counts[fate] += 1
        swept = Swept(*counts.values())
        level = logging.INFO if swept.deleted else logging.DEBUG
        log.log(level, "swept: %d files deleted, %d kept, %d unknown", *swept)
        return swept

    def _delete(self, listed: Listed) -> Fate:
        try:
            self._results.delete(listed.key, spool=listed.spool)
        except ResultsHeld:
            return Fate.KEPT
        return Fate.DELETED

    def _fate(self, listed: Listed) -> Fate:
        parsed = parse_key(listed.key)
        if parsed is None:
            return Fate.UNKNOWN
        task_id, attempt = parsed
        # The task first, then the file: a task that is over has had its file's row since the same
        # event, while one that is still `Processing` here may complete before the next question.
        task = self._queries.any_task(task_id)
        if task and task.status == "Processing":
            return _dead_if(attempt < task.attempt)
        file = None if listed.spool else self._queries.file(listed.key)
        if file:
            return _dead_if(self._is_past(file))
        return Fate.DELETED if task else self._fate_of_unkept(task_id)

    def _is_past(self, file: FileRow) -> bool:
        return bool(file.superseded_at and self._clock() - file.superseded_at >= self._sweep_after)

    def _fate_of_unkept(self, task_id: str) -> Fate:
        """Tables hold kept tasks alone: whether a task was removed or never was, the log tells."""
        try:
            task = self._ledger.task(task_id)
        except Refusal:
            raise
        except Exception:
            log.exception("task %s cannot be read; its files stay", task_id)
            return Fate.UNKNOWN
        return Fate.DELETED if task and task.evicted else Fate.UNKNOWN


def _dead_if(dead: bool) -> Fate:
    return Fate.DELETED if dead else Fate.KEPT
