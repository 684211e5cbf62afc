"""Watching: how an export goes on, told until it ends."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from time import sleep
from typing import TYPE_CHECKING

import click

from scripts.advice import with_advice
from scripts.cli import Refused
from scripts.patience import SHORTEST_PAUSE, ask, longer
from scripts.talk import is_live, json_line, plain, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.remote import Remote, Task


def watch(
    remote: Remote,
    task_id: str,
    patience: float,
    *,
    as_json: bool,
    tell: Callable[[str], None] = click.echo,
) -> Task:
    """The task, once it succeeded; a bar on a terminal, elsewhere a line is told for each change.

    Raises:
        Refused: it failed; the text says why.
        Declined: there is no such task, or no longer.
        NoAnswer: the service was away for `patience` seconds.
    """
    with _telling(as_json, tell) as show:
        for task in _changes(remote, task_id, patience):
            show(task)
    if task["status"] == "Failed":
        raise Refused(_failure(task))
    return task


def line(task: Task) -> str:
    """Where a task stands, for people."""
    total, place = task["total"], task.get("queue_position")
    rows = f"{task['export_count']:,}" + ("" if total is None else f" of {total:,}")
    queue = f"  {place} in the queue" if place else ""
    return f"{plain(task['status']):<10}  {task['progress']:>3} %  {rows} rows{queue}"


def _changes(remote: Remote, task_id: str, patience: float) -> Iterator[Task]:
    """The task whenever it is not what it was, at last when it ended."""
    last, pause = None, SHORTEST_PAUSE
    while True:
        task = ask(lambda: remote.show(task_id), patience)
        if task != last:
            yield task
            pause = SHORTEST_PAUSE
        if task["status"] != "Processing":
            return
        last = task
        sleep(pause)
        pause = longer(pause)


@contextmanager
def _telling(as_json: bool, tell: Callable[[str], None]) -> Iterator[Callable[[Task], None]]:
    if as_json:
        yield lambda task: tell(json_line(task))
    elif is_live(sys.stdout) and is_live(sys.stderr):
        with progress("exporting", 100) as advance:
            yield lambda task: advance(task["progress"])
    else:
        yield lambda task: tell(line(task))


def _failure(task: Task) -> str:
    told = plain(task["error_msg"] or "no reason is given")
    code = plain(task["error_code"])
    return with_advice(f"The export failed: {told} ({code}, {task['export_task_id']})", code)
