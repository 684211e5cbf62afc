"""Place checks: room on the disks, who may read the files, and does the source answer?"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from exporter.results import LocalResults, open_results
from exporter.sources import Remote, SourceFailed, is_remote, open_source
from exporter.sources.sql import sqlite_path
from projections.log import CannotOpen
from projections.shown import shown
from projections.stores.sqlite import event_file
from projections.stores.whole_file import read_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from api.settings import Settings
    from api.upkeep.findings import Report
    from projections.changes import Row

MIB = 1024 * 1024
FREE_LEAST = {"events": 64 * MIB, "read_dir": 64 * MIB, "results": 256 * MIB}
"""Bytes that must be free where each setting's place is: below, a busy day may fill it."""

OTHERS = 0o077
"""What a file's mode grants to anybody but its owner."""


def check_space(settings: Settings, report: Report) -> None:
    """Is there room to go on? A place that is not there yet will be made where its parent is."""
    for name, path in _places(settings):
        there = next(each for each in (path, *path.parents) if each.exists())
        free = shutil.disk_usage(there).free
        if free < FREE_LEAST[name]:
            report.find(
                "disk_full",
                f"EXPORT_TASKS_{name.upper()}: {free // MIB} MiB are free at {there}, "
                f"less than {FREE_LEAST[name] // MIB}.",
                f"free some room: df -h {there}",
            )


def check_permissions(settings: Settings, report: Report) -> None:
    """Secrets are for their owner alone."""
    for path in _private(settings):
        if path.exists() and path.stat().st_mode & OTHERS:
            report.find("readable_by_others", f"Others may use {path}.", f"chmod go= {path}")


def check_side_log(settings: Settings, report: Report) -> None:
    """Can refusals be counted? The file is made when one is."""
    path = settings.side_log
    if not path.exists():
        return
    try:
        with closing(read_only(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        report.find("damaged_side_log", f"{path} cannot be used: {error}.", f"rm {path}")


def check_source(settings: Settings, projects: Iterable[Row], report: Report) -> None:
    """Does the source answer, where it is remote about a project that is mapped? The embedded one
    is made when it is first used.
    """
    if settings.given["source"].origin == "default" and not _source_file(settings).exists():
        return
    upstream = {row["project_id"]: up for row in projects if (up := row["upstream_project_id"])}
    remote = Remote(settings.source_region, settings.source_rate, lambda: upstream)
    try:
        with closing(open_source(settings.source, remote)) as source:
            source.check()
    except (SourceFailed, ValueError) as error:
        report.find(
            "source_unreachable",
            f"EXPORT_TASKS_SOURCE ({shown(settings.source)}): {error}",
            f"export-tasks {'config show' if is_remote(settings.source) else 'batch list'}",
        )


def _source_file(settings: Settings) -> Path:
    return sqlite_path(settings.source)


def _places(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Those on this machine's disks; of the others, whoever opens them says what is wrong."""
    with suppress(CannotOpen):
        yield "events", event_file(settings.events).absolute().parent
    yield "read_dir", settings.read_dir
    with suppress(ValueError):
        results = open_results(settings.results, settings.spools)
        yield "results", results.folder if isinstance(results, LocalResults) else settings.spools


def _private(settings: Settings) -> Iterator[Path]:
    if settings.given_secret_key is None:
        yield settings.secret_file
    with suppress(CannotOpen):
        yield event_file(settings.events)
    yield settings.side_log
    yield settings.audit_key_file
