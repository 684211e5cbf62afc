"""Follower: pull the next page of events, apply it, move the position: one transaction."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import contextmanager
from threading import Lock, local
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from eventsourcing.persistence import PersistenceError

from domain.journal import Journal
from domain.log import LOG_STREAM, Log
from domain.refusals import Unavailable
from projections.checks import RebuildRunning
from projections.position import Position, apply_page, news_since
from projections.rebuild import UNATTENDED, rebuild

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from eventsourcing.persistence import ApplicationRecorder
    from sqlite_utils import Database

    from projections.tables import ReadTables

_LOGGER = logging.getLogger(__name__)

PAGE = 1000
CATCH_UP_SECONDS = 5.0


class LogAltered(Unavailable):
    """The log is not the one that the read tables know, though it says it is: damage."""

    def __str__(self) -> str:
        return (
            "The event log is not the one that this node has read: an operator must look "
            "(export-tasks doctor)."
        )


class BehindLog(Unavailable):
    """The tables could not be brought up to the log's head in time."""


@contextmanager
def reading() -> Iterator[None]:
    """Lets every failure of log or tables out as `Unavailable`."""
    try:
        yield
    except (sqlite3.Error, OSError, PersistenceError) as error:
        raise Unavailable from error


class _Mine(local):
    """Of each thread, the tables that it has caught up, and what was found in them before."""

    database: Database | None = None
    known: Known | None = None


Known = dict[Any, Any]
"""What was found in tables in which nothing has changed since."""

KNOWN_MOST = 10_000
"""How much of it is kept: who asks for what is not there must not fill the memory."""


class Follower:
    """Keeps this machine's read tables at the head of the log; safe for threads and processes."""

    def __init__(
        self,
        recorder: ApplicationRecorder,
        tables: ReadTables,
        *,
        page: int = PAGE,
        watch: Callable[[], float] = monotonic,
        mark: Callable[[], Hashable | None] = lambda: None,
    ) -> None:
        """`mark` gives another mark after every commit; None where only the log itself can tell."""
        self.recorder = recorder
        self.tables = tables
        self._mark = mark
        self._seen: WeakKeyDictionary[Database, tuple[Hashable, Known]] = WeakKeyDictionary()
        self._page = page
        self._watch = watch
        self._applying = Lock()
        self._mine = _Mine()

    @contextmanager
    def caught_up(self, seconds: float = CATCH_UP_SECONDS) -> Iterator[Database]:
        """The tables with all that the log had at this moment; or when this thread's `once` began.

        Raises:
            Unavailable: the log or the tables cannot be read, or (BehindLog) not in this time.
            LogAltered: the log is another than it was.
        """
        if self._mine.database is not None:
            with reading():
                yield self._mine.database
            return
        with reading(), self.tables.open() as database:
            if self._catch_up(database, self._watch() + seconds):
                self._tell_of_gone(database)
                yield database
                return
        self._start_over()
        with self.caught_up(seconds) as database:
            yield database

    @contextmanager
    def once(self, *, brief: bool = False) -> Iterator[bool]:
        """Catches up once for all that this thread asks within.

        With `brief` it only looks whether there is news, which waits for nothing: where there is,
        or only a log elsewhere could tell, the answer is False, and nothing may be asked.

        Raises:
            Unavailable, LogAltered: as `caught_up`.
        """
        refused = None
        with self._current() if brief else self.caught_up() as database:
            self._mine.database = database
            self._mine.known = self._seen[database][1] if brief and database else None
            try:
                yield database is not None
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 (no fault of the tables: they are kept open)
                refused = error
            finally:
                self._mine.database = self._mine.known = None
        if refused:
            raise refused

    @property
    def known(self) -> Known:
        """What this thread may take for found, within `once`; it may put more into it."""
        return {} if self._mine.known is None else self._mine.known

    @contextmanager
    def _current(self) -> Iterator[Database | None]:
        """The tables, if they have all that the log has."""
        with reading(), self.tables.open() as database:
            yield database if self._is_current(database) else None

    def _is_current(self, database: Database) -> bool:
        mark = self._mark()  # before the log is read: what is committed in between gives another
        if mark is None:
            return False
        seen, known = self._seen.get(database, (None, {}))
        if mark == seen and len(known) < KNOWN_MOST:
            return True
        news = news_since(self.recorder, Position.stored(database), 1)
        if news is None or news:
            return False
        self._seen[database] = mark, {}
        return True

    def position(self) -> Position:
        """How far the tables are, without catching up.

        Raises:
            Unavailable: the tables cannot be read.
        """
        with reading(), self.tables.open() as database:
            return Position.stored(database)

    def _catch_up(self, database: Database, until: float) -> bool:
        """Applies what is new; False where the log is not the one that the tables know."""
        news = news_since(self.recorder, Position.stored(database), 1)
        if not news:
            return news is not None
        if not self._applying.acquire(timeout=max(0.0, until - self._watch())):
            raise BehindLog
        try:
            while (applied := apply_page(self.recorder, database, self._page)) == self._page:
                if self._watch() >= until:
                    raise BehindLog
        finally:
            self._applying.release()
        return applied is not None

    def _tell_of_gone(self, database: Database) -> None:
        if gone := self.tables.take_gone():
            _LOGGER.warning(
                "this node's read tables, %s, were gone: %s events were read again, in %.1f s",
                self.tables.folder / gone.name,
                Position.stored(database).count,
                monotonic() - gone.seen,
            )

    def _start_over(self) -> None:
        log = Journal(self.recorder).latest(Log, LOG_STREAM)
        if log.incarnation == self.position().incarnation:
            raise LogAltered
        try:
            with reading():
                rebuild(self.recorder, self.tables, UNATTENDED)
        except RebuildRunning as running:
            raise BehindLog from running
