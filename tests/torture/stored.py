"""Stored: the events of a log straight from its store, in order, without the product."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import psycopg

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

COLUMNS = "originator_id, originator_version, topic, state"
SQLITE = "sqlite:///"


class Stored(NamedTuple):
    """An event as it is stored."""

    originator_id: str | UUID
    originator_version: int
    topic: str
    state: bytes


def stored_events(url: str) -> list[Stored]:
    """All there are at one moment; writers may go on meanwhile.

    Raises:
        sqlite3.Error, psycopg.Error: the store cannot be read now.
    """
    if url.startswith(SQLITE):
        with closing(sqlite3.connect(url.removeprefix(SQLITE))) as log:
            rows = log.execute(f"SELECT {COLUMNS} FROM stored_events ORDER BY rowid").fetchall()
    else:
        with closing(psycopg.connect(url, connect_timeout=3)) as log:
            query = f"SELECT {COLUMNS} FROM stored_events ORDER BY notification_id"
            rows = log.execute(query).fetchall()
    return [Stored._make(row) for row in rows]


def events_in(home: Path) -> str:
    """The address of a home's own event store."""
    return f"{SQLITE}{home / 'events.sqlite'}"
