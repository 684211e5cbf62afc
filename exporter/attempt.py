"""Attempt: one exporter's try at one task, from its claim to its last word."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from json import loads
from typing import TYPE_CHECKING

from domain.codes import NO_BATCH_TASK, ROWS_DIFFER
from domain.commands import CompleteTask, Progress
from domain.conditions import File
from domain.refusals import TaskOver, Unavailable
from exporter.biff8.properties import Properties
from exporter.cells import mend
from exporter.disk import NoRoom
from exporter.failures import (
    FORESEEN,
    PASSING_FAULTS,
    CannotExport,
    failure,
    wait_after,
)
from exporter.results import ResultsFailed, hash_file, result_key
from exporter.sender import SHUTDOWN, Stopping
from exporter.sources import DETAIL_COLUMNS, utc_text
from exporter.summary import Tally, summary
from exporter.workbook import Workbook, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from domain.task import Task
    from exporter.results import Results
    from exporter.sender import Sender
    from exporter.sources import BatchTask, Source
    from exporter.workbook import Written

READ_PERCENT = 90
"""A task's progress when all rows are read; the rest is for saving, packing and storing them."""

SAVED_PERCENT = 95
STORED_PERCENT = 99

BOOK = ".xls"

BATCH_NAME_LENGTH = 128
"""Characters that the events tell of a batch task's name: all that IoTDA allows."""

STOPS = "the attempt stops: %s"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read: the batch task as it was before the first row, and the rows' count.

    `expected` is what the source counted after the last row; `finished`, whether nothing could
    change any more while the rows were read.
    """

    batch: BatchTask
    tally: Tally
    data_as_of: str
    expected: int
    finished: bool


class Attempt:
    """Reads the batch task, makes its workbook, stores it, and tells the ledger how it went.

    `lacked_room` says afterwards whether it ended because a disk was full.
    """

    lacked_room = False

    def __init__(
        self,
        task: Task,
        sender: Sender,
        source: Source,
        results: Results,
        *,
        nonce: str,
        suffix: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._task, self._sender = task, sender
        self._source, self._results = source, results
        self._nonce, self._suffix, self._clock = nonce, suffix, clock

    def run(self) -> None:
        """Makes one attempt; however it ends, it is told, except where the task is lost or gone.

        A loser stops and deletes nothing but its own half-written files: its result, if it has one
        already, is the sweeper's.
        """
        try:
            with self._sender.beating():
                self._try()
        except TaskOver as error:
            log.info(STOPS, error, extra=self._sender.told)
        except Unavailable as error:
            log.warning("the attempt is left to its lease: %s", error, extra=self._sender.told)

    def _try(self) -> None:
        try:
            with self._own_spools():
                result = self._make()
        except Stopping:
            self._sender.hand_back(SHUTDOWN)
        except (TaskOver, Unavailable):
            raise
        except FORESEEN as error:
            self._end_for(error)
        except Exception as error:
            log.exception("the attempt failed", extra=self._sender.told)
            self._end_for(error)
        else:
            self._sender.complete(result)

    def _make(self) -> CompleteTask:
        path = self._results.spool(self._key(BOOK))
        reading, written = self._write(path)
        self._step(reading, SAVED_PERCENT)
        size, digest = written.size, written.sha256
        if self._suffix != BOOK:
            path = pack(path, f"{self._task.task_id}{BOOK}")
            size, digest = hash_file(path)
        self._step(reading, STORED_PERCENT)
        self._results.put(self._key(self._suffix), path)
        file = File(
            task_id=self._task.task_id,
            key=self._key(self._suffix),
            size=size,
            sha256=digest,
            rows=written.rows,
            sheets=written.sheets,
            repaired=written.repaired,
            complete=reading.finished,
            data_as_of=reading.data_as_of,
        )
        name = name_of(reading.batch)
        return CompleteTask(self._sender.claim, file, reading.expected, name)

    def _write(self, path: Path) -> tuple[_Reading, Written]:
        kept = self._results.keeps_spools and self._suffix == BOOK
        book = Workbook(path, DETAIL_COLUMNS, kept=kept)
        try:
            reading = self._read(book)
            self._step(reading, READ_PERCENT)
            pairs = summary(
                self._task,
                reading.batch,
                reading.tally,
                data_as_of=reading.data_as_of,
                finished=reading.finished,
                expected=reading.expected,
            )
            return reading, book.close(pairs, self._about(reading))
        finally:
            book.abandon()

    def _about(self, reading: _Reading) -> Properties:
        return Properties(
            title=f"Export task {self._task.task_id}",
            program="export-tasks",
            created=datetime.fromisoformat(reading.data_as_of),
        )

    def _read(self, book: Workbook) -> _Reading:
        data_as_of = utc_text(self._clock().isoformat())
        batch, tally = self._found(), Tally()
        for page in self._source.pages(batch.task_id):
            book.write(page)
            tally.add(page)
            self._sender.progress(_progress(tally.rows, batch))
        # A batch task that ended while it was read may have changed rows behind the reader: only
        # one that had ended before is finished, and must be whole. One gone now was cut short.
        expected = self._source.count(batch.task_id)
        finished = self._found().finished and batch.finished
        if finished and expected != tally.rows:
            rows = f"{tally.rows} rows could be read, and the source counts {expected}."
            raise CannotExport(ROWS_DIFFER, f"The batch task has finished, but {rows}")
        return _Reading(batch, tally, data_as_of, expected, finished)

    def _found(self) -> BatchTask:
        conditions, scope = self._task.conditions, self._task.conditions.scope
        batch_id = loads(conditions.resource_condition)["task_id"]
        batch = self._source.find(self._task.owner.project_id, batch_id, scope)
        if batch is None:
            where = "" if scope is None else f" in the app '{scope}'"
            raise CannotExport(NO_BATCH_TASK, f"The batch task does not exist{where}.")
        return batch

    def _step(self, reading: _Reading, percent: int) -> None:
        rows, name = reading.tally.rows, name_of(reading.batch)
        self._sender.progress(Progress(rows, reading.expected, percent, name))

    def _end_for(self, error: Exception) -> None:
        self.lacked_room = isinstance(error, NoRoom)
        code, message, passing, wait, counts = failure(error)
        faults = self._task.faults
        if passing and faults + counts < PASSING_FAULTS:
            log.warning("the attempt is handed back: %s", message, extra=self._sender.told)
            self._sender.hand_back(message, wait=max(wait, wait_after(faults)), fault=counts)
        else:
            # The message, which may quote the batch task, is for its owner.
            log.warning("the attempt ends the task: %s", code, extra=self._sender.told)
            self._sender.fail(code, message)

    @contextmanager
    def _own_spools(self) -> Iterator[None]:
        """Removes what this attempt has written and not put: surely its own, by the nonce."""
        try:
            yield
        finally:
            try:
                for suffix in dict.fromkeys((BOOK, self._suffix)):
                    self._results.delete(self._key(suffix), spool=True)
            except ResultsFailed as error:
                log.warning("a spool is left: %s", error, extra=self._sender.told)

    def _key(self, suffix: str) -> str:
        return result_key(self._task.task_id, self._sender.claim.attempt, self._nonce, suffix)


def name_of(batch: BatchTask) -> str | None:
    """What the batch task is called, as one line; None where its source has no name for it."""
    return " ".join(mend(batch.task_name)[0].split())[:BATCH_NAME_LENGTH] or None


def _progress(rows: int, batch: BatchTask) -> Progress:
    """A batch task that runs on may have more rows by now than its total said."""
    total = batch.total
    percent = READ_PERCENT * rows // total if total else 1
    percent = min(max(1, percent), READ_PERCENT)
    return Progress(rows, max(rows, total), percent, name_of(batch))
