"""Settled: what must be so of files and processes once nothing disturbs the service any more."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import xlrd as untyped_xlrd
from python_calamine import CalamineWorkbook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.torture.kept import Kept
    from tests.torture.story import Story

xlrd: Any = untyped_xlrd
LOOK_SECONDS = 0.5
XLRD_MOST = 2_000_000
"""The largest workbook, in bytes, that is read by a reader in Python too."""


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Does it come to hold in time?"""
    until = monotonic() + seconds
    while not holds():
        if monotonic() > until:
            return False
        sleep(LOOK_SECONDS)
    return True


def files_wrong(kept: Kept, story: Story) -> Iterator[str]:
    """Current files that are missing or other than the log says."""
    for file in story.judge.current.values():
        content = kept.content(file.key)
        if content is None:
            yield f"the current file {file.key} is missing"
            continue
        found = (len(content), sha256(content).hexdigest())
        if found != (file.size, file.sha256):
            yield f"the current file {file.key} is {found}, not {(file.size, file.sha256)}"


def unswept(kept: Kept, story: Story) -> list[str]:
    """Files that are nobody's current one any more, and what attempts left."""
    return sorted(kept.names() - {file.key for file in story.judge.current.values()})


def workbooks_wrong(samples: Iterable[bytes], story: Story) -> Iterator[str]:
    """Downloads that do not open, or hold other rows than the log says."""
    files = {task.file.sha256: task.file for task in story.judge.tasks.values() if task.file}
    for content in samples:
        digest = sha256(content).hexdigest()
        readers = (_rows_by_calamine, _rows_by_xlrd)[: 2 if len(content) < XLRD_MOST else 1]
        try:
            found = {reader(content) for reader in readers}
        except Exception as error:
            yield f"the workbook {digest} does not open: {error!r}"
            continue
        if digest not in files or found != {files[digest].rows}:
            yield f"the workbook {digest} has {found} rows, the log says {files.get(digest)}"


def ends_wrong(story: Story, nowhere: str, foreseen: set[str]) -> Iterator[str]:
    """Tasks that have not ended, or failed for what was not done to them.

    `foreseen` are the codes of failures that this run can have brought about.
    """
    for task in story.judge.tasks.values():
        if task.evicted is None and task.status == "Processing":
            yield f"task {task.task_id} has not ended; attempt {task.attempt}, {task.faults} faults"
        elif task.status == "Failed":
            lost = nowhere in str(task.conditions[3])
            if task.code not in (foreseen | {"IOTDA.014705"} if lost else foreseen):
                yield f"task {task.task_id} failed with {task.code}"
        elif task.status == "Success" and nowhere in str(task.conditions[3]):
            yield f"task {task.task_id} has a file of a batch task that is not there"


def _rows_by_calamine(content: bytes) -> int:
    book = CalamineWorkbook.from_filelike(BytesIO(content))
    names = [name for name in book.sheet_names if name.startswith("details")]
    return sum(book.get_sheet_by_name(name).height - 1 for name in names)


def _rows_by_xlrd(content: bytes) -> int:
    book = xlrd.open_workbook(file_contents=content)
    details = [sheet for sheet in book.sheets() if sheet.name.startswith("details")]
    return sum(sheet.nrows - 1 for sheet in details)
