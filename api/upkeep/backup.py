"""Backup: a consistent copy of an installation while it runs."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.settings import KEY_FILE, SETTINGS
from api.upkeep.copied_log import read_copy
from api.upkeep.copies import (
    Measure,
    alone_in,
    copy_database,
    is_embedded,
    measure,
    result_chunks,
    settle,
    write,
)
from api.upkeep.manifest import EVENTS, FORMAT, MANIFEST, RESULTS, SOURCE, Absent, Manifest
from api.version import VERSION
from domain.refusals import Refusal
from exporter.disk import ResultsFailed, create_folder, names
from exporter.results import SPOOL, LocalResults, ResultMissing
from exporter.sources.sql import sqlite_path
from projections.stores.sqlite import event_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api.parts import Parts
    from api.settings import Settings
    from exporter.results import Results
    from projections.replay import Replay

    Tell = Callable[[str], object]

TOLD_EVERY = 500
"""Result files between two words about how far it is."""


class CannotBackUp(Refusal):
    """There is nothing to back up, or the place for it is taken."""


def back_up(parts: Parts, folder: Path, *, with_secret_key: bool, tell: Tell) -> Manifest:
    """Copies event store with vault, batch tasks and result files into a new or empty folder.

    The log is copied first, and sweepers are held off from before: so every file that is current in
    the copied log was there, and still is. The vault stands in the same database as the log, so
    both are of one moment. Current files that are lost already are named in the manifest; it is
    written last, when all else is on the disk.

    Raises:
        CannotBackUp: no event store; the folder is not empty; no secret key to copy.
        CopyFailed, ResultsFailed, OSError: something cannot be read or written; no backup is left.
    """
    events = event_file(parts.settings.events)
    if not events.exists():
        raise CannotBackUp(f"There is no event store at {events}: export-tasks init makes one.")
    secret = _secret(parts.settings) if with_secret_key else None
    with _made(folder), parts.results.hold():
        return _copy(parts, events, folder, secret, tell)


def _copy(parts: Parts, events: Path, folder: Path, secret: bytes | None, tell: Tell) -> Manifest:
    made_at = datetime.now(UTC)
    tell("copying the event store")
    copy_database(events, folder / EVENTS)
    settle(folder / EVENTS)
    replay, log = read_copy(folder / EVENTS)
    _copy_source(parts.settings, folder / SOURCE, tell)
    if secret is not None:
        write([secret], folder / KEY_FILE)
    results, absent = _copy_results(parts.results, replay, folder, tell)
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
    there = names(folder)
    if MANIFEST in there:
        raise CannotBackUp(f"{folder} holds a backup already: name a new folder.")
    if EVENTS in there:
        raise CannotBackUp(f"{folder} holds a backup that was not finished: remove it.")
    if there:
        raise CannotBackUp(f"{folder} is not empty: name a new folder.")


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _secret(settings: Settings) -> bytes:
    if settings.given_secret_key is None and not settings.secret_file.exists():
        raise CannotBackUp(f"There is no secret key at {settings.secret_file}.")
    return settings.secret_key()


def _copy_source(settings: Settings, target: Path, tell: Tell) -> None:
    """After the log: what its tasks export was there before they were asked for."""
    path = _embedded(settings.source)
    if path is None:
        tell(f"no batch tasks of export-tasks' own at {settings.source}: none are copied")
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


def _copy_results(
    results: Results, replay: Replay, folder: Path, tell: Tell
) -> tuple[dict[str, Measure], list[Absent]]:
    """Files that are current, and superseded ones that were not swept yet."""
    copies = LocalResults(folder / RESULTS)
    current = replay.current_files()
    files = {key: row for (key,), row in replay.rows("files").items()}
    copied: dict[str, Measure] = {}
    absent: list[Absent] = []
    for number, (key, row) in enumerate(files.items()):
        if number % TOLD_EVERY == 0:
            tell(f"copying result files: {number} of {len(files)}")
        expected = Measure(row["size"], row["sha256"])
        if why := _copy_result(results, key, expected, copies):
            absent += [Absent(key, row["task_id"], why)] if key in current else []
        else:
            copied[key] = expected
    return copied, absent


def _copy_result(results: Results, key: str, expected: Measure, copies: LocalResults) -> str | None:
    """Copies a file whose bytes are what the log says; else says why not."""
    spool = copies.spool(key)
    try:
        found = write(result_chunks(results, key), spool)
    except ResultMissing:
        why = "it is not there"
    except ResultsFailed as error:
        why = f"it cannot be read: {error}"
    else:
        if found == expected:
            copies.put(key, spool)
            return None
        why = f"it is another file: {found.size} bytes, SHA-256 {found.sha256}"
    spool.unlink()
    return why


def _given(settings: Settings) -> dict[str, str]:
    return {
        each.variable: given.text
        for each in SETTINGS
        if not each.secret
        and (given := settings.given[each.name]).origin != "default"
        and given.text is not None
    }
