"""History: a log of many events, made by the real ledger in memory and stored in one go."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from eventsourcing.popo import POPOApplicationRecorder

from domain.commands import Progress
from domain.journal import Journal
from domain.ledger import Ledger
from scripts.benchmarks import tasks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventsourcing.persistence import ApplicationRecorder

    from domain.conditions import OwnerId
    from domain.task import Task

EVENTS_OF_AN_OWNER = 500
"""Some eighty tasks, so that thirty of them are evicted."""


CHUNK = 50_000
"""So many are held in memory at a time."""


def fill(recorder: ApplicationRecorder, events: int) -> int:
    """Stores at least so many events of tasks that were created, exported and evicted.

    Returns how many there are.
    """
    stored = owners = 0
    while stored < events:
        some = min(CHUNK, events - stored)
        count = 1 + some // EVENTS_OF_AN_OWNER
        stored += _append(recorder, some, tasks.owners(owners + count)[owners:])
        owners += count
    return stored


def _append(recorder: ApplicationRecorder, events: int, owners: list[OwnerId]) -> int:
    memory = POPOApplicationRecorder()
    ledger = Ledger(Journal(memory))
    for owner in cycle(owners):
        live(ledger, ledger.create(tasks.creating(owner)))
        if (memory.max_notification_id() or 0) >= events:
            break
    stored = memory.select_notifications(None, events + EVENTS_OF_AN_OWNER)
    recorder.insert_events(stored)
    return len(stored)


def live(ledger: Ledger, task: Task, percents: Iterable[int] = (30, 60)) -> None:
    """A task is claimed, progresses and succeeds."""
    claimed = tasks.claim(ledger, task)
    for percent in percents:
        ledger.progress(claimed, tasks.LEASE, Progress(percent, 100, percent))
    tasks.complete(ledger, task, claimed)
