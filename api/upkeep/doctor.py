"""Doctor: an installation examined, everything against everything; nothing of it is changed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from eventsourcing.persistence import PersistenceError
from eventsourcing.sqlite import SQLiteApplicationRecorder

from api.audit.stored import CannotRead, open_events
from api.settings import PREFIX, Settings, SettingsError
from api.upkeep.audit_checks import check_audit
from api.upkeep.event_places import NothingThere, event_place
from api.upkeep.findings import UNREACHABLE, Report
from api.upkeep.log_checks import check_frozen, check_key, check_tables, check_whole, has_events
from api.upkeep.place_checks import check_permissions, check_side_log, check_source, check_space
from api.upkeep.result_checks import check_results
from api.values import is_shared
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


def examine(*, deep: bool, tell: Tell) -> Report:
    """Looks at settings, disks, event store, read tables, results and source.

    With `deep` every current result file is read to its end. Where a setting is broken nothing else
    is looked at: it may name another place than is meant.
    """
    report = Report()
    settings = _settings(os.environ, report)
    if settings:
        check_space(settings, report)
        check_permissions(settings, report)
        check_side_log(settings, report)
        replay = _check_store(settings, report, deep, tell)
        tell("asking the source")
        check_source(settings, replay.rows("projects").values() if replay else (), report)
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


def _check_store(settings: Settings, report: Report, deep: bool, tell: Tell) -> Replay | None:
    """What its log says; None where it says nothing, or cannot be read."""
    tell("reading the event store")
    check = _check_database if is_shared(settings.events) else _check_file
    try:
        event_place(settings).must_be_there()
        return check(settings, report, deep, tell)
    except NothingThere:
        _nothing_here(settings, report)
    except (CannotOpen, CannotRead, OSError) as error:
        report.find(UNREACHABLE, str(error), "export-tasks config show")
    except (sqlite3.Error, PersistenceError, Unavailable) as error:
        what = f"The event store {shown(settings.events)}: {error}"
        report.find(UNREACHABLE, what, "export-tasks doctor")
    return None


def _check_file(settings: Settings, report: Report, deep: bool, tell: Tell) -> Replay | None:
    path = event_file(settings.events)
    if not has_events(path):
        _nothing_here(settings, report)
    elif check_whole(path, report):
        with closing(SQLiteStore(path, read_only=True)) as store:
            return _check_log(settings, SQLiteApplicationRecorder(store), report, deep, tell)
    return None


def _check_database(settings: Settings, report: Report, deep: bool, tell: Tell) -> Replay | None:
    with open_events(settings.events) as events:
        empty = events.count() == 0
    if empty:
        _nothing_here(settings, report)
        return None
    with closing(open_log(settings.events)) as log:
        return _check_log(settings, log.recorder, report, deep, tell)


def _nothing_here(settings: Settings, report: Report) -> None:
    """Where `serve` would say that the store is empty."""
    place = event_place(settings)
    if place.staging.exists():
        report.find(
            "unfinished_restore",
            f"A restore of {shown(settings.events)} was cut off.",
            "export-tasks restore FROM",
        )
    else:
        report.find(
            "nothing_here",
            f"{place.nothing}.",
            "export-tasks init (or: export-tasks restore FROM)",
        )


def _check_log(
    settings: Settings, recorder: ApplicationRecorder, report: Report, deep: bool, tell: Tell
) -> Replay:
    with open_events(settings.events) as events:
        check_key(settings, events, report)
    replay = Replay(recorder)
    check_tables(settings, replay, report)
    check_audit(settings, recorder, utc_now(), report)
    tell("comparing the results with the log")
    check_results(settings, replay, report, deep=deep)
    check_frozen(replay, report)
    return replay
