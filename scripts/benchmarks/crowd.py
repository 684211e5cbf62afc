"""Crowd: an installation of one user, with ten finished tasks, among very many others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from projections.rebuild import UNATTENDED, rebuild
from projections.stores.sqlite import event_file
from scripts.benchmarks import copies, homes, tasks
from scripts.benchmarks.service import LISTED

if TYPE_CHECKING:
    from pathlib import Path


class Crowd(NamedTuple):
    """The user, one of the user's tasks, and how many events the others have."""

    user: homes.User
    task_id: str
    events: int


def among(home: Path, owners: int, events: int) -> Crowd:
    """Makes one among so many owners with so many events each; its read tables are current."""
    with homes.parts_of(home) as parts:
        (user,) = homes.settle(parts, 1)
        parts.batches.list()  # makes the source, which a service that is told of it must find
        for _ in range(LISTED):
            task_id = parts.ledger.create(tasks.creating(user.owner)).task_id
            tasks.finish(parts.ledger, task_id)
        log = event_file(parts.settings.events)
    stored = copies.fill(log, owners, events)
    with homes.parts_of(home) as parts:
        rebuild(parts.log.recorder, parts.tables, UNATTENDED)
    return Crowd(user, task_id, stored)
