"""Copies: bytes and databases copied, private, measured, and on the disk when that is said."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from domain.refusals import Refusal
from exporter.disk import create_private, hash_file, sync
from exporter.results import CHUNK_BYTES
from exporter.sources.embedded import APPLICATION_ID
from projections.lock import Held, locked
from projections.stores.whole_file import read_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from exporter.results import Results

LOCK = ".upkeep.lock"
PAGES = 1024
"""Pages of a database that are copied at a time."""


class CopyFailed(Refusal):
    """A database cannot be copied; the text says which and why."""


class Busy(Refusal):
    """Another process is at the same work in the same place."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How many bytes, and their SHA-256 in hex."""

    size: int
    sha256: str


def measure(path: Path) -> Measure | None:
    """A file's; None where there is none."""
    return Measure(*hash_file(path)) if path.exists() else None


def write(chunks: Iterable[bytes], target: Path) -> Measure:
    """A private file of these bytes, on the disk, in the place of whatever was left there."""
    target.unlink(missing_ok=True)
    with create_private(target) as file:
        written = measure_chunks(chunks, file.write)
    sync(target)
    return written


def measure_chunks(chunks: Iterable[bytes], each: Callable[[bytes], object] = len) -> Measure:
    """Measures bytes while they pass by."""
    size, digest = 0, sha256()
    for chunk in chunks:
        each(chunk)
        size += len(chunk)
        digest.update(chunk)
    return Measure(size, digest.hexdigest())


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def result_chunks(results: Results, key: str) -> Iterator[bytes]:
    """A result's bytes. Raises ResultMissing, ResultsFailed."""
    with closing(results.open(key)) as file:
        yield from file.read_range(0, file.size)


def copy_database(source: Path, target: Path) -> None:
    """One moment of a SQLite file, in a single private file, on the disk; writers go on meanwhile.

    Inside one read transaction, which in WAL mode neither waits for writers nor keeps them waiting,
    and which writers cannot make begin anew. `VACUUM INTO` would not do: it may number rows anew,
    and positions of events are such numbers.

    Raises:
        CopyFailed: SQLite cannot read the one or write the other.
    """
    create_private(target).close()
    try:
        with closing(read_only(source)) as live, closing(sqlite3.connect(target)) as copy:
            live.execute("BEGIN")
            live.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            live.backup(copy, pages=PAGES)
            live.rollback()
        sync(target)
    except sqlite3.Error as error:
        raise CopyFailed(f"{source} cannot be copied to {target}: {error}.") from error


def is_embedded(path: Path) -> bool:
    """Was this database of batch tasks made by export-tasks? Raises CopyFailed."""
    try:
        with closing(read_only(path)) as database:
            return bool(database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)
    except sqlite3.Error as error:
        raise CopyFailed(f"{path} cannot be read: {error}.") from error


@contextmanager
def alone_in(folder: Path, what: str) -> Iterator[None]:
    """One process at a time in a folder; the lock ends with the process, however it ends.

    Raises:
        Busy: another one is in it.
    """
    try:
        with locked(folder / LOCK, lasting=False):
            yield
    except Held as held:
        raise Busy(f"{what} is running in {folder}: {held}.") from held
