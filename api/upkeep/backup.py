"""Backup: a consistent copy of an installation while it runs."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.settings import KEY_FILE, SETTINGS
from api.upkeep.copied_log import read_copy
from api.upkeep.copies import (
    LOCK,
    alone_in,
    copy_database,
    is_embedded,
    measure,
    write,
)
from api.upkeep.event_copies import silent
from api.upkeep.event_places import event_place
from api.upkeep.manifest import EVENTS, FORMAT, MANIFEST, RESULTS, SOURCE, Manifest
from api.upkeep.result_copies import copy_results
from api.version import VERSION
from domain.refusals import Refusal
from exporter.disk import create_folder, names
from exporter.results import SPOOL, LocalResults
from exporter.sources.sql import sqlite_path
from projections.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.parts import Parts
    from api.settings import Settings
    from api.upkeep.event_copies import Advance

    Tell = Callable[[str], object]


class CannotBackUp(Refusal):
    """There is nothing to back up, or the place for it is taken."""


def back_up(
    parts: Parts,
    folder: Path,
    *,
    with_secret_key: bool,
    tell: Tell,
    advance: Advance = silent,
) -> Manifest:
    """Copies event store with vault, batch tasks and result files into a new or empty folder.

    The log is copied first, and sweepers are held off from before: so every file that is current in
    the copied log was there, and still is. The vault stands in the same store as the log, so both
    are of one moment; whatever the store, their copy is a file. Current files that are lost already
    are named in the manifest; it is written last, when all else is on the disk.

    Raises:
        NothingThere: no event store.
        CannotBackUp: the folder is not empty; no secret key to copy.
        CopyFailed, CannotRead, ResultsFailed, OSError: something cannot be read or written; no
            backup is left.
    """
    events = event_place(parts.settings)
    events.must_be_there()
    secret = _secret(parts.settings) if with_secret_key else None
    with _made(folder), parts.results.hold():
        made_at = datetime.now(UTC)
        tell("copying the event store")
        events.copy_to(folder / EVENTS, advance)
        return _copy(parts, made_at, folder, secret, tell)


def _copy(
    parts: Parts, made_at: datetime, folder: Path, secret: bytes | None, tell: Tell
) -> Manifest:
    """All but the event store, which was copied then."""
    replay, log = read_copy(folder / EVENTS)
    _copy_source(parts.settings, folder / SOURCE, tell)
    if secret is not None:
        write([secret], folder / KEY_FILE)
    copies = LocalResults(folder / RESULTS)
    results, absent = copy_results(parts.results, replay, copies, tell)
    shutil.rmtree(folder / RESULTS / SPOOL, ignore_errors=True)
    at = replay.position
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        made_at=made_at,
        incarnation=at.incarnation,
        results_id=log.results,
        events=at.count,
        position=at.position,
        last_event=at.digest,
        frozen=len(replay.rows("quarantine")),
        files={
            name: found for name in (EVENTS, SOURCE, KEY_FILE) if (found := measure(folder / name))
        },
        results=results,
        absent=absent,
        settings=_given(parts.settings),
    )
    manifest.write(folder)
    return manifest


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder, private, for this backup alone; empty again where none comes of it."""
    if folder.exists() and not folder.is_dir():
        raise CannotBackUp(f"{folder} is no folder.")
    create_folder(folder.absolute())
    with alone_in(folder, "Another backup"):
        _must_be_empty(folder)
        folder.chmod(0o700)
        try:
            yield
        except BaseException:
            _clear(folder)
            raise


def _must_be_empty(folder: Path) -> None:
    there = set(names(folder)) - {LOCK}
    if MANIFEST in there:
        raise CannotBackUp(f"{folder} holds a backup already: name a new folder.")
    if EVENTS in there:
        raise CannotBackUp(f"{folder} holds a backup that was not finished: remove it.")
    if there:
        raise CannotBackUp(f"{folder} is not empty: name a new folder.")


def _clear(folder: Path) -> None:
    for path in (each for each in folder.iterdir() if each.name != LOCK):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _secret(settings: Settings) -> bytes:
    if settings.secret_is_missing:
        raise CannotBackUp(f"There is no secret key at {settings.secret_file}.")
    return settings.secret_key()


def _copy_source(settings: Settings, target: Path, tell: Tell) -> None:
    """After the log: what its tasks export was there before they were asked for."""
    path = _embedded(settings.source)
    if path is None:
        tell(f"no batch tasks of export-tasks' own at {shown(settings.source)}: none are copied")
    else:
        tell("copying the batch tasks")
        copy_database(path, target)


def _embedded(source: str) -> Path | None:
    """The file of batch tasks, where it is there and was made here."""
    try:
        path = sqlite_path(source)
    except ValueError:
        return None
    return path if path.exists() and is_embedded(path) else None


def _given(settings: Settings) -> dict[str, str]:
    return {
        each.variable: shown(given.text)
        for each in SETTINGS
        if not each.secret
        and (given := settings.given[each.name]).origin != "default"
        and given.text is not None
    }
