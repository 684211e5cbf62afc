"""Restore: an installation back from a backup, verified, under a new incarnation of its log."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from api import values
from api.access.erasures import ERASURES, Erasures
from api.belonging import NotOurs
from api.parts import Parts
from api.settings import KEY_FILE
from api.upkeep.copied_log import Damaged, read_copy
from api.upkeep.copies import (
    Measure,
    alone_in,
    chunks_of,
    measure,
    measure_chunks,
    result_chunks,
    write,
)
from api.upkeep.event_copies import silent
from api.upkeep.event_places import NotEmpty, event_place
from api.upkeep.manifest import EVENTS, RESULTS, SOURCE, Manifest, read_manifest
from domain.refusals import Refusal
from exporter.disk import create_folder, link
from exporter.results import LocalResults, ResultExists
from exporter.sources.sql import sqlite_path
from projections.stores.whole_file import beside, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from api.access.erasures import Erasure
    from api.settings import Settings
    from api.upkeep.event_copies import Advance

    Tell = Callable[[str], object]


class NoSecretKey(Refusal):
    """The backup has none, and none was given."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, the log's new incarnation, and who was removed again (ids)."""

    manifest: Manifest
    incarnation: str
    erased: list[str]


def restore(
    settings: Settings,
    folder: Path,
    erasures: Sequence[Path] = (),
    *,
    tell: Tell,
    advance: Advance = silent,
) -> Restored:
    """Puts a backup into the empty places that the settings name.

    Users who were removed since the backup are removed again before there is an event store that
    `serve` would accept: those in the files `erasures`, and in the home's own list, if it has one.

    Everything is verified before anything is put in place. The event store comes last, at once, its
    new incarnation begun: before that there is nothing that `serve` would accept, and after it all
    is there. A restore that was cut off is completed by the same one once more.

    Raises:
        UnreadableErasures: a list of erasures holds something else.
        NoBackup, Damaged: the folder holds no backup, or not what its manifest says.
        NotEmpty, NotOurs: something is there already; the text names it.
        NoSecretKey, WrongSecretKey: the key has to be given, or is not the one.
        ResultsFailed, OSError: something cannot be read or written.
    """
    erased = erasures_of(settings, erasures)
    manifest = read_manifest(folder)
    create_folder(settings.home)
    with alone_in(settings.home, "Another restore"), Parts(settings) as parts:
        events = event_place(settings)
        events.must_be_free()
        _must_be_free(parts, manifest)
        tell("verifying the backup")
        _verify(folder, manifest)
        with _staged(events.staging) as staged:
            _copy(folder / EVENTS, staged, manifest.files[EVENTS])
            tell(f"reading {manifest.events} events")
            _check_log(staged, manifest)
            secret = _secret(settings, folder, manifest)
            done = _begin_anew(settings, staged, secret, manifest, erased)
            tell(f"putting back {len(manifest.results)} result files")
            _put_results(parts, folder, manifest)
            _put_files(settings, folder, manifest)
            events.publish(staged, advance)
    return done


def rehearse(settings: Settings, folder: Path, *, tell: Tell) -> Manifest:
    """Verifies a backup, and that what the settings name is free for it; nothing is changed.

    Raises:
        NoBackup, Damaged, NotEmpty, NotOurs, NoSecretKey, OSError: as `restore`.
    """
    manifest = read_manifest(folder)
    event_place(settings).must_be_free()
    with Parts(settings) as parts:
        _must_be_free(parts, manifest)
    _secret(settings, folder, manifest)
    tell("verifying the backup")
    _verify(folder, manifest)
    return manifest


def erasures_of(settings: Settings, brought: Sequence[Path]) -> list[Erasure]:
    """Who was removed, by the home's own list and those that are brought.

    Raises:
        UnreadableErasures: a list holds something else.
        OSError: a list cannot be read.
    """
    lists = [each for path in brought for each in Erasures(path).read(whole=True)]
    return [*Erasures(settings.home / ERASURES).read(), *lists]


def _put_files(settings: Settings, folder: Path, manifest: Manifest) -> None:
    if SOURCE in manifest.files:
        _install(folder / SOURCE, sqlite_path(settings.source), manifest.files[SOURCE])
    if settings.secret_is_missing:
        _install(folder / KEY_FILE, settings.secret_file, manifest.files[KEY_FILE])


def _must_be_free(parts: Parts, manifest: Manifest) -> None:
    """Only what this very backup put there, when it was cut off, may be there."""
    settings = parts.settings
    if SOURCE in manifest.files:
        _must_be_free_for_source(settings, manifest.files[SOURCE])
    for listed in parts.results.list():
        if not listed.spool and listed.key not in manifest.results:
            raise NotEmpty(
                f"EXPORT_TASKS_RESULTS ({settings.results}): {parts.results.where(listed.key)} is "
                "there already; restore into an empty place."
            )
    if parts.results.marker() not in (None, manifest.results_id):
        raise NotOurs(f"EXPORT_TASKS_RESULTS ({settings.results}) is another event log's.")


def _must_be_free_for_source(settings: Settings, expected: Measure) -> None:
    try:
        path = sqlite_path(settings.source)
    except ValueError as error:
        raise NotEmpty(f"EXPORT_TASKS_SOURCE: {error}") from error
    taken = measure(path) not in (None, expected)
    if taken or any(each.exists() for each in beside(path)):
        raise NotEmpty(f"EXPORT_TASKS_SOURCE: {path} is there already; name another place.")


def _verify(folder: Path, manifest: Manifest) -> None:
    copies = LocalResults(folder / RESULTS)
    for name, expected in manifest.files.items():
        _must_be(measure(folder / name), expected, str(folder / name))
    for key, expected in manifest.results.items():
        path = Path(copies.where(key))
        _must_be(measure(path), expected, str(path))


@contextmanager
def _staged(staging: Path) -> Iterator[Path]:
    """Where the store is made ready: a folder of its own; gone afterwards."""
    shutil.rmtree(staging, ignore_errors=True)
    create_folder(staging.absolute())
    try:
        yield staging / EVENTS
    finally:
        shutil.rmtree(staging)


def _check_log(staged: Path, manifest: Manifest) -> None:
    replay, log = read_copy(staged)
    at = replay.position
    told = (at.count, at.position, at.digest, at.incarnation, log.results)
    said = (
        manifest.events,
        manifest.position,
        manifest.last_event,
        manifest.incarnation,
        manifest.results_id,
    )
    if told != said or len(replay.rows("quarantine")) != manifest.frozen:
        raise Damaged("The backup is damaged: its event store is not the one of its manifest.")
    there = {*manifest.results, *(each.key for each in manifest.absent)}
    if lost := set(replay.current_files()) - there:
        raise Damaged(f"The backup is damaged: the current result {min(lost)} is not in it.")


def _secret(settings: Settings, folder: Path, manifest: Manifest) -> bytes:
    if not settings.secret_is_missing:
        return settings.secret_key()
    if KEY_FILE in manifest.files:
        return values.secret((folder / KEY_FILE).read_text("ascii").strip())
    raise NoSecretKey(
        "The backup holds no secret key: give the one it was made under, by "
        f"EXPORT_TASKS_SECRET_KEY_FILE or as {settings.secret_file}."
    )


def _begin_anew(
    settings: Settings, staged: Path, secret: bytes, manifest: Manifest, erasures: list[Erasure]
) -> Restored:
    """Tries the key on the vault, then begins the new incarnation, without who was erased."""
    there = replace(settings, events=f"sqlite:///{staged.absolute()}", given_secret_key=secret)
    with Parts(there) as parts:
        _ = parts.vault
        log = parts.ledger.begin_anew(manifest.events, parts.operator())
        erased = parts.removal.again(erasures, parts.operator()) if erasures else []
    settle(staged)
    return Restored(manifest, log.incarnation or "", erased)


def _put_results(parts: Parts, folder: Path, manifest: Manifest) -> None:
    copies, results = LocalResults(folder / RESULTS), parts.results
    for key, expected in manifest.results.items():
        spool = results.spool(key)
        _must_be(write(result_chunks(copies, key), spool), expected, copies.where(key))
        try:
            results.put(key, spool)
        except ResultExists:
            spool.unlink()
            if measure_chunks(result_chunks(results, key)) != expected:
                raise NotEmpty(f"{results.where(key)} is there already, and another.") from None
    if manifest.results_id:
        results.claim(manifest.results_id)


def _install(source: Path, target: Path, expected: Measure) -> None:
    """A copy in place, whole and on the disk, or not at all."""
    if measure(target) == expected:
        return
    create_folder(target.absolute().parent)
    draft = target.with_name(f"{target.name}.draft")
    _copy(source, draft, expected)
    try:
        link(draft, target)
    except FileExistsError as error:
        raise NotEmpty(f"{target} was made meanwhile; remove it.") from error
    finally:
        draft.unlink(missing_ok=True)


def _copy(source: Path, target: Path, expected: Measure) -> None:
    _must_be(write(chunks_of(source), target), expected, str(source))


def _must_be(found: Measure | None, expected: Measure, what: str) -> None:
    if found != expected:
        how = "is missing" if found is None else "was altered"
        raise Damaged(f"The backup is damaged: {what} {how}.")
