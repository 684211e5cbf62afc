"""Migrate: an embedded event store, and the result files of its log, to where many machines reach.

Everything is compared with what it was copied from, and nothing of the embedded store is changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventsourcing.sqlite import SQLiteApplicationRecorder

from api.audit.stored import NothingStored, open_events
from api.parts import Unusable
from api.upkeep.copies import Busy, CopyFailed, alone_in
from api.upkeep.event_copies import prefix
from api.upkeep.event_places import event_place
from api.upkeep.result_copies import copy_results
from api.values import is_shared
from domain.journal import Journal
from domain.log import LOG_STREAM, Log
from domain.refusals import Refusal
from exporter.results import ResultsClaimed, open_results
from projections.replay import Replay
from projections.stores.sqlite import SQLiteStore, event_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.settings import Settings
    from api.upkeep.event_copies import Copied
    from api.upkeep.manifest import Absent
    from exporter.results import Results

    Tell = Callable[[str], object]
    Advance = Callable[[int, float], None]

BUSY_SECONDS = 2.0
"""How long somebody may still be ending who has the event store open."""


class CannotMigrate(Refusal):
    """The stores are not of the kinds between which a log can be moved."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What is there now: the log, and of which incarnation it is; result files, and lost ones."""

    log: Copied
    incarnation: str | None
    results: int
    absent: list[Absent]


def migrate(
    settings: Settings, to: str, results_to: str | None, *, tell: Tell, advance: Advance
) -> Migrated:
    """Copies the embedded event store that the settings name, with its vault, to a database.

    Result files are copied first, if another place for them is named, and each is measured against
    the log. Events and vault come last, in one transaction, at their positions: before it there is
    nothing in the database that `serve` would accept, after it all is there. What was cut off is
    completed by the same call once more; events that came to the source since are added.

    Nobody may have the source open, and nobody can write to it meanwhile.

    Raises:
        CannotMigrate: another kind of store; or the results are another log's.
        NothingThere: there is no event store.
        Busy: somebody has one of the stores open.
        NotThePrefix: the database holds other events.
        CopyFailed, CannotOpen, CannotRead, Unreadable, ResultsFailed, OSError: see there.
    """
    path = _movable(settings, to)
    with alone_in(settings.home, "Another migration"), _held(path):
        log, results, absent = _results(settings, path, results_to, tell)
        copied = _events(settings, to, advance)
    return Migrated(copied, log.incarnation, results, absent)


def rehearse(settings: Settings, to: str) -> tuple[int, int]:
    """How many events there are, and how many of them the database has not; nothing is changed.

    Raises:
        CannotMigrate, NothingThere, NotThePrefix, CannotOpen, CannotRead: as `migrate`.
    """
    _movable(settings, to)
    with open_events(settings.events) as events:
        total = events.count()
        with suppress(NothingStored), open_events(to) as target:
            return total, total - prefix(events, target)
        return total, total


def _movable(settings: Settings, to: str) -> Path:
    """The file that is moved."""
    if is_shared(settings.events) or not is_shared(to):
        raise CannotMigrate(
            "An event store is moved from sqlite:///… (EXPORT_TASKS_EVENTS) to postgresql://…; "
            "any other way goes by backup and restore."
        )
    event_place(settings).must_be_there()
    return event_file(settings.events)


def _results(
    settings: Settings, path: Path, results_to: str | None, tell: Tell
) -> tuple[Log, int, list[Absent]]:
    with closing(SQLiteStore(path, read_only=True)) as store:
        recorder = SQLiteApplicationRecorder(store)
        log = Journal(recorder).latest(Log, LOG_STREAM)
        if results_to is None:
            return log, 0, []
        replay = Replay(recorder)
        replay.advance()
    copies = _opened(results_to, settings.spools, "--results-to")
    _claim(copies, log, results_to)
    results = _opened(settings.results, settings.spools, "EXPORT_TASKS_RESULTS")
    copied, absent = copy_results(results, replay, copies, tell)
    return log, len(copied), absent


def _claim(results: Results, log: Log, url: str) -> None:
    """Before there is anything in it. A log that was never served has no results yet."""
    try:
        if log.results is not None:
            results.claim(log.results)
    except ResultsClaimed as error:
        raise CannotMigrate(f"{url} holds the results of another event log.") from error


def _opened(url: str, spools: Path, name: str) -> Results:
    try:
        return open_results(url, spools)
    except ValueError as error:
        raise Unusable(f"{name}: {error}") from error


def _events(settings: Settings, to: str, advance: Advance) -> Copied:
    from api.upkeep.database_copies import copy_to_database

    with open_events(settings.events) as events:
        return copy_to_database(events, to, advance)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Nobody else has the store open when this begins, and nobody writes to it before it ends.

    A file that others have open does not let go of its write-ahead log; and while that is gone,
    and the write lock held, whoever opens it can read, and a service cannot start. It takes up a
    write-ahead log again when it is served again.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(
        sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    ) as database:
        _take(database, path)
        yield


def _take(database: sqlite3.Connection, path: Path) -> None:
    try:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_BUSY:
            raise CopyFailed(f"{path} cannot be held: {error}.") from error
        raise Busy(
            f"Somebody has {path} open: stop the service, its exporters and every other command."
        ) from error
