"""Doctor: an installation examined, everything against everything; nothing of it is changed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import SQLiteApplicationRecorder

from api.audit.stored import CannotRead, NothingStored, open_events
from api.settings import PREFIX, Settings, SettingsError
from api.upkeep.audit_checks import check_audit
from api.upkeep.event_places import event_place
from api.upkeep.findings import UNREACHABLE, Report
from api.upkeep.log_checks import check_frozen, check_key, check_tables, check_whole, has_events
from api.upkeep.place_checks import check_permissions, check_side_log, check_source, check_space
from api.upkeep.result_checks import check_results
from api.values import is_shared, no_event_store
from domain.journal import utc_now
from domain.refusals import Unavailable
from projections.log import CannotOpen, open_log
from projections.replay import Replay
from projections.shown import shown
from projections.stores.sqlite import SQLiteStore, event_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eventsourcing.persistence import ApplicationRecorder

    Tell = Callable[[str], object]

NOTHING_THERE = (FileNotFoundError, NotADirectoryError)


def examine(environment: Mapping[str, str] | None = None, *, deep: bool, tell: Tell) -> Report:
    """Looks at settings, disks, event store, read tables, results and source.

    With `deep` every current result file is read to its end. Where a setting is broken nothing else
    is looked at: it may name another place than is meant.
    """
    report = Report()
    settings = _settings(os.environ if environment is None else environment, report)
    if settings:
        check_space(settings, report)
        check_permissions(settings, report)
        check_side_log(settings, report)
        check_source(settings, report)
        _check_store(settings, report, deep, tell)
    return report


def _settings(environment: Mapping[str, str], report: Report) -> Settings | None:
    """Each variable on its own, so that the first fault does not hide the others."""
    told = {}
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        alone = {variable, variable.removesuffix("_FILE"), variable + "_FILE"}
        try:
            Settings.read({name: environment[name] for name in alone & set(environment)})
        except SettingsError as error:
            told[str(error)] = variable
    for what, variable in told.items():
        report.find("broken_setting", what, f"unset {variable}; export-tasks config example")
    return None if told else Settings.read(environment)


def _check_store(settings: Settings, report: Report, deep: bool, tell: Tell) -> None:
    tell("reading the event store")
    check = _check_database if is_shared(settings.events) else _check_file
    try:
        check(settings, report, deep, tell)
    except (CannotOpen, CannotRead, OSError) as error:
        report.find(UNREACHABLE, str(error), "export-tasks config show")
    except (sqlite3.Error, PersistenceError, Unavailable) as error:
        what = f"The event store {shown(settings.events)}: {error}"
        report.find(UNREACHABLE, what, "export-tasks doctor")


def _check_file(settings: Settings, report: Report, deep: bool, tell: Tell) -> None:
    path = event_file(settings.events)
    try:
        path.stat()
    except NOTHING_THERE:
        return _nothing_here(settings, str(path), report)
    if not has_events(path):
        return _nothing_here(settings, str(path), report)
    if check_whole(path, report):
        with closing(SQLiteStore(path, read_only=True)) as store:
            _check_log(settings, SQLiteApplicationRecorder(store), report, deep, tell)
    return None


def _check_database(settings: Settings, report: Report, deep: bool, tell: Tell) -> None:
    where = shown(settings.events)
    try:
        with open_events(settings.events) as events:
            empty = events.count() == 0
    except NothingStored:
        empty = True
    if empty:
        return _nothing_here(settings, where, report)
    with closing(open_log(settings.events)) as log:
        return _check_log(settings, log.recorder, report, deep, tell)


def _nothing_here(settings: Settings, where: str, report: Report) -> None:
    """Where `serve` would say that the store is empty."""
    if event_place(settings).staging.exists():
        return report.find(
            "unfinished_restore",
            f"A restore of {where} was cut off.",
            "export-tasks restore FROM",
        )
    return report.find(
        "nothing_here",
        no_event_store(where, settings.given["events"].origin) + ".",
        "export-tasks init (or: export-tasks restore FROM)",
    )


def _check_log(
    settings: Settings, recorder: ApplicationRecorder, report: Report, deep: bool, tell: Tell
) -> None:
    with open_events(settings.events) as events:
        check_key(settings, events, report)
    replay = Replay(recorder)
    check_tables(settings, replay, report)
    tell("comparing the results with the log")
    check_results(settings, replay, report, deep=deep)
    check_frozen(replay, report)
    check_audit(settings, recorder, utc_now(), report)
