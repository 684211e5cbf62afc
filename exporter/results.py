"""Result files: immutable, each under a key of its own, safe on the disk before anybody is told."""

from __future__ import annotations

import errno
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import unquote

from exporter.disk import ResultsFailed as ResultsFailed
from exporter.disk import copy, create_folder, create_private, link, names, storing, sync
from exporter.disk import hash_file as hash_file
from exporter.hold import Hold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

CHUNK_BYTES = 256 * 1024
"""Bytes that a download reads at a time."""

MARKER = ".export-tasks"
"""The object that holds the id of the log whose results these are."""

SPOOL = ".spool"
"""The folder in which attempts write; on the file system of the results, so that a link will do."""

HOLD = ".hold"
"""The file that a backup locks, so that no result is deleted meanwhile."""

_KEY = re.compile(r"([0-9a-f]{24})/([1-9][0-9]{0,8})-([0-9a-z]{1,32})\.(xls|zip)")


class ResultMissing(Exception):
    """There is no result of that key."""


class ResultExists(Exception):
    """There is a result of that key already, and nothing is ever replaced in place."""


class ResultsClaimed(Exception):
    """The place belongs to another log; its id is the argument."""


class ResultsHeld(Exception):
    """A backup runs: the result may be deleted when it has ended."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that the place holds: a result, or with `spool` what an attempt writes or left."""

    key: str
    size: int
    modified: datetime
    spool: bool


class OpenResult(Protocol):
    """A result opened for reading; it keeps its bytes when it is deleted meanwhile."""

    size: int
    modified: datetime

    def read_range(self, start: int, length: int) -> Iterator[bytes]:
        """The bytes from `start`, in chunks; ValueError where the result does not have them."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...


class Results(Protocol):
    """Where result files are kept. Every method raises ResultsFailed where the place fails."""

    def put(self, key: str, source: Path) -> None:
        """Takes the file over under the key; when this returns, it outlives a loss of power.

        The source is gone afterwards. ResultExists where the key is taken.
        """
        ...

    def spool(self, key: str) -> Path:
        """Where an attempt writes the file that it will put under the key."""
        ...

    def open(self, key: str) -> OpenResult:
        """The result; ResultMissing where there is none."""
        ...

    def list(self) -> Iterator[Listed]:
        """All results, then all spools. What was not put here by us is not listed."""
        ...

    def delete(self, key: str, *, spool: bool = False) -> None:
        """Removes the result, or the spool, of the key; nothing happens where it is gone.

        ResultsHeld where a backup holds the results; spools are no part of one.
        """
        ...

    def hold(self) -> AbstractContextManager[None]:
        """Inside, no result is deleted, by whichever process; for backups."""
        ...

    def where(self, key: str, *, spool: bool = False) -> str:
        """The result's own address, in an operator's terms."""
        ...

    def marker(self) -> str | None:
        """The id of the log that claimed the place; None where none did."""
        ...

    def claim(self, marker: str) -> None:
        """Claims the place for a log, once and durably; ResultsClaimed where another has it."""
        ...


def open_results(url: str) -> Results:
    """The results at `file:///absolute/folder`; ValueError for any other address."""
    path = unquote(url.removeprefix("file://"))
    if not url.startswith("file://") or not path.startswith("/") or "\0" in path:
        raise ValueError(f"results cannot be kept at {url!r}: give file:///absolute/folder")
    return LocalResults(Path(path))


def result_key(task_id: str, attempt: int, nonce: str, suffix: str) -> str:
    """The key of an attempt's file, with suffix `.xls` or `.zip`; ValueError where it is none.

    The nonce tells apart two attempts of one number: a restored log may give a number again.
    """
    key = f"{task_id}/{attempt}-{nonce}{suffix}"
    _check(key)
    return key


def parse_key(key: str) -> tuple[str, int] | None:
    """The task's id and the attempt's number; None where it is not a result's key."""
    match = _KEY.fullmatch(key)
    return (match[1], int(match[2])) if match else None


class LocalResults:
    """Results in a folder of the local disk, which is made when first written to.

    It is flat, a key's `/` being a `-` in the file's name: a folder for each task would have to be
    removed when empty, and a put could lose that race.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hold = Hold(folder / HOLD)

    def put(self, key: str, source: Path) -> None:
        final = self._path(key)
        with storing():
            create_folder(self.folder)
            source.chmod(0o600)
            sync(source)
            try:
                self._place(key, source, final)
            except FileExistsError as error:
                raise ResultExists(key) from error
            source.unlink()

    def spool(self, key: str) -> Path:
        path = self._path(key, spool=True)
        with storing():
            create_folder(path.parent)
        return path

    def open(self, key: str) -> LocalResult:
        try:
            with storing():
                return LocalResult(self._path(key))
        except ResultsFailed as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise ResultMissing(key) from error
            raise

    def list(self) -> Iterator[Listed]:
        for spool in (False, True):
            with storing():
                for name in names(self._folder(spool=spool)):
                    yield from self._listed(name.replace("-", "/", 1), spool=spool)

    def delete(self, key: str, *, spool: bool = False) -> None:
        path = self._path(key, spool=spool)
        if not spool and self._hold.is_held():
            raise ResultsHeld(key)
        with storing():
            path.unlink(missing_ok=True)

    def hold(self) -> AbstractContextManager[None]:
        return self._hold.held()

    def where(self, key: str, *, spool: bool = False) -> str:
        return str(self._path(key, spool=spool))

    def marker(self) -> str | None:
        with storing():
            try:
                return (self.folder / MARKER).read_text("utf-8")
            except FileNotFoundError:
                return None

    def claim(self, marker: str) -> None:
        with storing():
            create_folder(self.folder)
            # Linked when whole: whoever sees the marker can read it.
            draft = self.folder / f"{MARKER}.{secrets.token_hex(8)}"
            with create_private(draft) as file:
                file.write(marker.encode())
            try:
                sync(draft)
                link(draft, self.folder / MARKER)
            except FileExistsError:
                self._expect(marker)
            finally:
                draft.unlink(missing_ok=True)

    def _expect(self, marker: str) -> None:
        if (existing := self.marker()) != marker:
            raise ResultsClaimed(existing)

    def _path(self, key: str, *, spool: bool = False) -> Path:
        _check(key)
        return self._folder(spool=spool) / key.replace("/", "-")

    def _folder(self, *, spool: bool) -> Path:
        return self.folder / SPOOL if spool else self.folder

    def _listed(self, key: str, *, spool: bool) -> Iterator[Listed]:
        if parse_key(key) is None:
            return
        try:
            status = self._path(key, spool=spool).stat()
        except FileNotFoundError:  # deleted, or put, since the folder was read
            return
        yield Listed(key, status.st_size, _moment(status.st_mtime), spool)

    def _place(self, key: str, source: Path, final: Path) -> None:
        try:
            link(source, final)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            staged = self.spool(key)
            copy(source, staged)
            link(staged, final)
            staged.unlink()


class LocalResult:
    """A result file, held open: a descriptor keeps its bytes, whatever becomes of the name."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        status = os.fstat(self._file.fileno())
        self.size, self.modified = status.st_size, _moment(status.st_mtime)

    def read_range(self, start: int, length: int) -> Iterator[bytes]:
        if start < 0 or length < 0 or start + length > self.size:
            raise ValueError(f"no bytes {start}+{length} in a result of {self.size}")
        return self._chunks(start, start + length)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            with storing():
                chunk = os.pread(self._file.fileno(), min(CHUNK_BYTES, end - start), start)
            if not chunk:
                raise ResultsFailed("the stored result is shorter than it was", passing=False)
            yield chunk
            start += len(chunk)


def _check(key: str) -> None:
    if parse_key(key) is None:
        raise ValueError(f"not the key of a result: {key!r}")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
