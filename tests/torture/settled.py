"""Settled: what must be so of files and processes once nothing disturbs the service any more."""

from __future__ import annotations

from hashlib import sha256
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import xlrd as untyped_xlrd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.torture.story import Story

xlrd: Any = untyped_xlrd
LOOK_SECONDS = 0.5


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Does it come to hold in time?"""
    until = monotonic() + seconds
    while not holds():
        if monotonic() > until:
            return False
        sleep(LOOK_SECONDS)
    return True


def files_wrong(results: Path, story: Story) -> Iterator[str]:
    """Current files that are missing or other than the log says."""
    for file in story.judge.current.values():
        path = results / _name(file.key)
        if not path.exists():
            yield f"the current file {file.key} is missing"
        elif (found := (path.stat().st_size, _hash(path))) != (file.size, file.sha256):
            yield f"the current file {file.key} is {found}, not {(file.size, file.sha256)}"


def unswept(results: Path, story: Story) -> list[str]:
    """Files that are nobody's current one any more, and what attempts left."""
    current = {_name(file.key) for file in story.judge.current.values()}
    found = {path.name for path in results.rglob("*") if path.is_file()}
    return sorted(name for name in found - current if not name.startswith("."))


def workbooks_wrong(samples: Iterable[bytes], story: Story) -> Iterator[str]:
    """Downloads that do not open, or hold other rows than the log says."""
    files = {task.file.sha256: task.file for task in story.judge.tasks.values() if task.file}
    for content in samples:
        digest = sha256(content).hexdigest()
        try:
            book = xlrd.open_workbook(file_contents=content)
        except Exception as error:
            yield f"the workbook {digest} does not open: {error!r}"
            continue
        details = [sheet for sheet in book.sheets() if sheet.name.startswith("details")]
        rows = sum(sheet.nrows - 1 for sheet in details)
        if digest not in files or files[digest].rows != rows:
            yield f"the workbook {digest} has {rows} rows, the log says {files.get(digest)}"


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


def _name(key: str) -> str:
    return key.replace("/", "-", 1)


def _hash(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
