"""Log checks: is the event store sound, is the key its own, do this node's read tables agree?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from api.access.sealing import CannotUnseal
from api.access.vault_seals import check_secret_key
from api.access.vault_tables import COLUMNS
from api.settings import Settings, SettingsError
from api.upkeep.signed import PUT_BACK
from domain.journal import Journal
from domain.log import LOG_STREAM, Log
from projections.position import Position, news_since
from projections.schema import TABLES
from projections.stores.whole_file import read_only
from projections.tables import ReadTables

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from api.audit.stored import Events
    from api.upkeep.findings import Report
    from projections.changes import Row
    from projections.replay import Replay

    Rows = dict[str, dict[tuple[Any, ...], Row]]

REBUILD = "export-tasks rebuild"
RESTORE = "export-tasks restore FROM (into a new home)"

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def has_events(path: Path) -> bool:
    """Is there a store with anything in it? What is no database is not empty."""
    try:
        with closing(read_only(path)) as database:
            query = "SELECT 1 FROM sqlite_schema WHERE name = 'stored_events'"
            there = database.execute(query).fetchone()
            return bool(there and database.execute("SELECT 1 FROM stored_events").fetchone())
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            return True
        raise


def check_whole(path: Path, report: Report) -> bool:
    """Looks at every page of the event store; says whether it is sound.

    Raises:
        sqlite3.Error: it cannot be read, for another reason than damage.
    """
    try:
        with closing(read_only(path)) as database:
            told = [row[0] for row in database.execute("PRAGMA quick_check")]
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        told = [str(error)]
    if told == ["ok"]:
        return True
    report.find("damaged_event_store", f"{path} is damaged: {told[0]}.", RESTORE)
    return False


def check_key(settings: Settings, events: Events, report: Report) -> None:
    """Tries the secret key on the vault. It is not made where there is none.

    Raises:
        CannotRead: the vault cannot be read.
    """
    people = [dict(zip(COLUMNS["people"], row, strict=True)) for row in events.beside("people")]
    if not people:
        return
    if settings.secret_is_missing:
        report.find(
            "no_secret_key",
            f"There is no secret key at {settings.secret_file}, and users are sealed under one.",
            "set EXPORT_TASKS_SECRET_KEY_FILE to the file that holds it",
        )
        return
    try:
        check_secret_key(people, settings.secret_key())
    except CannotUnseal as error:
        report.find(
            "wrong_secret_key",
            f"The secret key is not the one that this store's users are sealed under: {error}.",
            "set EXPORT_TASKS_SECRET_KEY_FILE to the file that holds the right one",
        )
    except SettingsError as error:
        report.find("wrong_secret_key", str(error), "export-tasks config show")


def check_tables(settings: Settings, replay: Replay, report: Report) -> None:
    """Compares this node's read tables with the log, row by row, as of their own position.

    The replay must not have begun; it ends at the tables' position, or has not moved.
    """
    path = _current_tables(settings)
    if path is None:
        return None
    try:
        tables = _read_tables(path)
    except sqlite3.DatabaseError as error:
        if _current_tables(settings) != path:  # a rebuild has just put others in their place
            return check_tables(settings, replay, report)
        return report.find("damaged_read_tables", f"{path} cannot be read: {error}.", REBUILD)
    position = Position.of(tables["position"].get((1,)))
    if not position.position or not _is_of_this_log(position, replay, report):
        return None
    replay.advance(position.position)
    different = [name for name in TABLES if replay.rows(name) != tables[name]]
    if different:
        report.find(
            "altered_read_tables",
            f"The read tables in {settings.read_dir} are not what the events make them: "
            f"{', '.join(different)}.",
            REBUILD,
        )
    return None


def check_frozen(replay: Replay, report: Report) -> None:
    """Streams with an event that cannot be applied; the replay is at the log's head."""
    tasks = replay.rows("tasks")
    for (stream,), row in replay.rows("quarantine").items():
        task = tasks.get((stream,))
        report.find(
            "quarantined_stream",
            f"The {row['topic']} at position {row['position']} cannot be applied: {row['error']}.",
            f"export-tasks task delete {task['task_id']}" if task else RESTORE,
        )


def _is_of_this_log(position: Position, replay: Replay, report: Report) -> bool:
    incarnations = [
        each.incarnation
        for each in Journal(replay.recorder).history(LOG_STREAM)
        if isinstance(each, Log.Begun)
    ]
    if position.incarnation not in (None, *incarnations):
        report.find(
            "foreign_read_tables",
            "This node's read tables are another event log's.",
            f"{REBUILD} (or give this node a folder of its own: EXPORT_TASKS_READ_DIR)",
        )
        return False
    if news_since(replay.recorder, position, 1) is not None:
        return True
    if position.incarnation is not None and position.incarnation != incarnations[-1]:
        report.notes.append(
            "The read tables are of the time before a restore: they are built anew when asked."
        )
        return False
    _find_restored(position, replay, report)
    return False


def _find_restored(position: Position, replay: Replay, report: Report) -> None:
    head = replay.recorder.max_notification_id() or 0
    if head < position.position:
        what = f"The event log ends at position {head}, and this node has read {position.position}"
    else:
        what = f"The event at position {position.position} is not the one that this node has read"
    report.find(
        "restored_log",
        f"{what}: the log was put back without `restore`, or altered.",
        f"{PUT_BACK}; where that is refused: {RESTORE}; or, if nothing is gone and this log is "
        f"the right one: {REBUILD} --accept-history {position.incarnation}",
    )


def _current_tables(settings: Settings) -> Path | None:
    """The file of read tables, if there is one; the folder is made when it is first used."""
    if not settings.read_dir.is_dir():
        return None
    tables = ReadTables(settings.read_dir)
    name = tables.current()
    path = settings.read_dir / (name or "")
    return path if name and tables.is_ours(name) and path.is_file() else None


def _read_tables(path: Path) -> Rows:
    """All of them, as of one moment."""
    with closing(read_only(path)) as database:
        database.execute("BEGIN")
        return {
            name: {
                tuple(row[column] for column in table.key): dict(row)
                for row in database.execute(f"SELECT * FROM {name}")  # noqa: S608 (names are ours)
            }
            for name, table in TABLES.items()
        }


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
