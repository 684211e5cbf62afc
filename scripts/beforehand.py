"""Beforehand: what can be known to keep a service from starting, found out without making anything.

A start that is refused here leaves nothing behind. One that is refused later, on a machine where
nothing was before, leaves what may have been written by then: the event store and its secret key.
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager, suppress
from errno import EACCES
from typing import TYPE_CHECKING

from api.audit.place import open_place
from api.audit.sinks import open_sink
from api.belonging import must_be_free
from api.parts import Parts
from api.upkeep.event_places import event_place
from api.values import is_shared
from domain.refusals import Refusal, Unavailable
from exporter.disk import create_folder, storing
from exporter.results import LocalResults, ResultsFailed
from exporter.s3 import for_operators
from exporter.sources import SourceFailed, is_remote
from projections.follower import LogAltered
from projections.shown import shown
from projections.stores.sqlite import event_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.settings import Settings
    from exporter.results import Results


class CannotServe(Refusal):
    """What keeps the service from starting; told before it listens."""


def look(settings: Settings) -> None:
    """Asks whatever answers before there is an event store; a remote source needs its projects.

    Raises:
        CannotServe, Refusal, CannotOpen: what is wrong.
    """
    _check_tls(settings.tls_cert, settings.tls_key)
    if is_shared(settings.events):
        settings.secret_key()  # which is given, or refused
    with Parts(settings) as parts:
        parts.opened("audit", open_place)
        parts.opened("audit_sinks", lambda urls: [open_sink(url) for url in urls])
        with naming(settings, "source"):
            source = parts.source
            if settings.given["source"].origin != "default" and not is_remote(settings.source):
                source.check()
        if not is_shared(settings.events) and not event_file(settings.events).exists():
            _look_where_nothing_is(settings, parts.results)


def cut_off() -> CannotServe:
    """What an empty event store is told by where a restore was under way."""
    return CannotServe("A restore was cut off; give it again: export-tasks restore FROM")


@contextmanager
def naming(settings: Settings, name: str) -> Iterator[None]:
    """Says which setting names the place that cannot be used."""
    try:
        yield
    except LogAltered:
        raise  # no place is to blame
    except (Unavailable, ResultsFailed, SourceFailed, OSError) as error:
        place = shown(settings.given[name].text or "")
        told = for_operators(error)
        raise CannotServe(f"EXPORT_TASKS_{name.upper()} ({place}): {told}") from error


def missing(folder: Path) -> list[Path]:
    """The folders that there are not, down to this one; the deepest first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def remove(folders: list[Path]) -> None:
    """Removes them, the first that is not empty and all after it left out."""
    with suppress(OSError):
        for each in folders:
            each.rmdir()


def _look_where_nothing_is(settings: Settings, results: Results) -> None:
    """A log that begins needs a place for its files that is no other log's."""
    if event_place(settings).staging.exists():
        raise cut_off()
    with naming(settings, "results"):
        must_be_free(results.marker(), settings.home, settings.results)
        if isinstance(results, LocalResults):
            _try(results.folder)


def _try(folder: Path) -> None:
    """Can it be made, and written to? What is made to find that out goes again."""
    made = missing(folder)
    try:
        with storing():
            create_folder(folder)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(EACCES, os.strerror(EACCES))
    finally:
        remove(made)


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        raise CannotServe("EXPORT_TASKS_TLS_CERT and EXPORT_TASKS_TLS_KEY go together.")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certificate, key, password=""
        )
    except OSError as error:
        raise CannotServe(
            f"EXPORT_TASKS_TLS_CERT ({certificate}), EXPORT_TASKS_TLS_KEY ({key}): {error}"
        ) from error
