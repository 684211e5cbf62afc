"""Fold: what a whole log says, in memory; nothing is written anywhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import SQLiteApplicationRecorder

from api.upkeep.copies import read_only
from domain.journal import Journal
from domain.log import LOG_STREAM, Log
from domain.refusals import Refusal, Unavailable
from projections.changes import Changes, nothing
from projections.follower import LogAltered
from projections.log import SQLiteStore
from projections.position import Position, apply, news_since

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from eventsourcing.persistence import ApplicationRecorder, Notification

    from projections.changes import Row

PAGE = 5000


class Damaged(Refusal):
    """What is stored is not what was stored; the text says where."""


def read_copy(path: Path) -> tuple[Fold, Log]:
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
            fold = Fold(recorder)
            fold.advance()
            return fold, Journal(recorder).latest(Log, LOG_STREAM)
    except (sqlite3.Error, PersistenceError, Unavailable) as error:
        raise Damaged(f"The event store is damaged: {error}.") from error


class Fold:
    """The read tables' rows as the events alone make them, as far as was asked."""

    def __init__(self, recorder: ApplicationRecorder) -> None:
        self.recorder = recorder
        self._changes = Changes(nothing)

    @property
    def position(self) -> Position:
        """The last event that is in it."""
        return Position.read(self._changes)

    def advance(self, until: int | None = None) -> None:
        """Goes on to the log's head, or to a position.

        Raises:
            LogAltered: what was read before is not there any more.
        """
        while news := self._news(until):
            apply(news, self._changes)

    def rows(self, table: str) -> dict[tuple[Any, ...], Row]:
        """A table's rows by their keys."""
        return {
            key: row for (name, key), row in self._changes.rows.items() if name == table and row
        }

    def current_files(self) -> dict[str, Row]:
        """By key, the files that are current for some conditions (contract, section 2.4)."""
        files = self.rows("files")
        keys = (row["current"] for row in self.rows("results").values())
        return {key: files[key,] for key in keys if key}

    def _news(self, until: int | None) -> list[Notification]:
        news = news_since(self.recorder, self.position, PAGE)
        if news is None:
            raise LogAltered
        return [event for event in news if until is None or event.id <= until]
