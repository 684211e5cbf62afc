"""Copied log: what a copy of an event store says, after a look at every page of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import SQLiteApplicationRecorder

from domain.journal import Journal
from domain.log import LOG_STREAM, Log
from domain.refusals import Refusal, Unavailable
from projections.replay import Replay
from projections.stores.sqlite import SQLiteStore
from projections.stores.whole_file import read_only

if TYPE_CHECKING:
    from pathlib import Path


class Damaged(Refusal):
    """What is stored is not what was stored; the text says where."""


def read_copy(path: Path) -> tuple[Replay, Log]:
    """All that a copied log says, and what log it is, after a look at every page of its file.

    Raises:
        Damaged: it is no sound database of events.
    """
    try:
        with closing(read_only(path)) as database:
            told = [row[0] for row in database.execute("PRAGMA integrity_check(1)")]
        if told != ["ok"]:
            raise Damaged(f"The event store is damaged: {told[0]}.")
        with closing(SQLiteStore(path, read_only=True)) as store:
            recorder = SQLiteApplicationRecorder(store)
            replay = Replay(recorder)
            replay.advance()
            return replay, Journal(recorder).latest(Log, LOG_STREAM)
    except (sqlite3.Error, PersistenceError, Unavailable) as error:
        raise Damaged(f"The event store is damaged: {error}.") from error
