"""Copies: one owner's real history stored again and again as that of others, millions of events."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

from eventsourcing.popo import POPOApplicationRecorder

from domain.conditions import OwnerId
from domain.journal import Journal
from domain.ledger import Ledger
from domain.owner import owner_stream
from domain.task import task_stream
from scripts.benchmarks import history, tasks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    Row = tuple[str, int, str, bytes]

FIRST_USER = 1 << 64
"""Numbers of users from here on are nobody else's."""

CACHE_KIB = 1 << 20
"""The index of ten million events fits in it: each event goes to another place of it."""

REPORTED = range(5, 85, 5)
"""Percents that each export reports: so that a task has twenty events, as those of many rows."""

_INSERT = "INSERT INTO stored_events VALUES (?, ?, ?, ?)"
_TASK_ID_TIME = 12
"""Digits of a task's id that say when it was made; the others are chance."""


class Template:
    """The history of an owner, of at least so many events, with its ids left open."""

    def __init__(self, events: int) -> None:
        owner, memory = OwnerId(tasks.PROJECT, "e" * 32), POPOApplicationRecorder()
        ledger, made = Ledger(Journal(memory)), []
        while (memory.max_notification_id() or 0) < events:
            made.append(ledger.create(tasks.creating(owner)))
            history.live(ledger, made[-1], REPORTED)
        self._tasks = [task.task_id for task in made]
        self._streams: list[UUID | str] = [owner_stream(owner), *map(task_stream, self._tasks)]
        open_ids = re.compile("|".join(("e" * 32, *self._tasks)).encode())
        self._events = [
            (
                self._streams.index(each.originator_id),
                each.originator_version,
                each.topic,
                open_ids.sub(rb"%(\g<0>)b", each.state.replace(b"%", b"%%")),
            )
            for each in memory.select_notifications(None, 2 * events)
        ]
        self.events = len(self._events)

    def copy(self, number: int) -> Iterator[Row]:
        """The same history, as another owner's."""
        owner = OwnerId(tasks.PROJECT, f"{FIRST_USER + number:032x}")
        renamed = {
            task: f"{task[:_TASK_ID_TIME]}{number:06x}{place:06x}"
            for place, task in enumerate(self._tasks)
        }
        streams = [owner_stream(owner).hex, *(task_stream(each).hex for each in renamed.values())]
        ids = {old.encode(): new.encode() for old, new in renamed.items()}
        ids[b"e" * 32] = owner.user_id.encode()
        return (
            (streams[stream], version, topic, state % ids)
            for stream, version, topic, state in self._events
        )


def fill(log: Path, owners: int, events: int) -> int:
    """Stores the histories of so many owners, of at least so many events each.

    For a log that nobody else has open; the disk is not waited for. Returns how many it stored.
    """
    template = Template(events)
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        rows = chain.from_iterable(map(template.copy, range(owners)))
        connection.executemany(_INSERT, rows)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    return template.events * owners
