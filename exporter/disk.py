"""Files on a local disk: private, durable, in place whole or not at all, their faults in words."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from time import monotonic, sleep
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from projections.pointers import link as link
from projections.pointers import sync as sync

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator

SYNCED_BYTES = 4 * 1024 * 1024
"""How much of a file that is kept is written before it is synced: a disk is given more at a time by
nobody, so that whoever commits to it meanwhile waits for no more."""

COMING_SECONDS = 1.0
"""How long a name may be taken before the bytes are under it."""

_FILE = "file://"
_sync_data = getattr(os, "fdatasync", os.fsync)  # which macOS has not
_LASTING = {errno.EFBIG, errno.ENAMETOOLONG}
_FULL = {errno.ENOSPC, errno.EDQUOT}

_WORDS = {
    errno.ENOSPC: "there is no room left for the result",
    errno.EDQUOT: "there is no room left for the result",
    errno.EACCES: "the place of the results may not be written to",
    errno.EPERM: "the place of the results may not be written to",
    errno.EROFS: "the place of the results may not be written to",
    errno.ENOTDIR: "the place of the results is not a folder",
    errno.EIO: "the disk of the results failed",
    errno.EFBIG: "the result is larger than the disk takes",
}


class ResultsFailed(Exception):
    """The place of the results failed. The message is for users: it names no path.

    `passing` says whether an operator or time may mend it, as with a full disk; a lasting fault
    fails again however often it is tried.
    """

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class NoRoom(ResultsFailed):
    """A disk is full, this machine's own perhaps: another may have room."""


def folder_of(url: str) -> Path | None:
    """The folder that `file:///absolute/folder` names, percent-decoded; None of another address."""
    path = unquote(url.removeprefix(_FILE))
    is_folder = url.startswith(_FILE) and path.startswith("/") and "\0" not in path
    return Path(path) if is_folder else None


@contextmanager
def storing() -> Iterator[None]:
    """What the disk refuses inside becomes a ResultsFailed."""
    try:
        yield
    except OSError as error:
        passing = error.errno not in _LASTING
        kind = NoRoom if error.errno in _FULL else ResultsFailed
        raise kind(_in_words(error.errno or 0), passing=passing) from error


def create_private(path: Path) -> BinaryIO:
    """A new file that only this user may read, to write to; FileExistsError where there is one."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def hash_file(path: Path) -> tuple[int, str]:
    """The size in bytes and the SHA-256 in hex."""
    with storing(), path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return os.fstat(file.fileno()).st_size, digest


class Hashed:
    """A file to write to, whose size and SHA-256 are known at its end without reading it.

    Where it is `kept`, only its last few megabytes are not on the disk then.
    """

    def __init__(self, file: BinaryIO, *, kept: bool) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self.size = 0
        self._to_sync = SYNCED_BYTES if kept else None

    @property
    def sha256(self) -> str:
        """Of all that was written, in hex."""
        return self._digest.hexdigest()

    def write(self, data: bytes | array[int]) -> int:
        """Appends the bytes."""
        self._digest.update(data)
        written = self._file.write(data)
        self.size += written
        if self._to_sync and self.size >= self._to_sync:
            self._file.flush()
            _sync_data(self._file.fileno())
            self._to_sync = self.size + SYNCED_BYTES
        return written

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Appends them one after the other."""
        for piece in pieces:
            self.write(piece)


def create_once(path: Path, content: bytes) -> bool:
    """A private, durable file, there whole or not at all; false where the name is taken.

    Of several processes that make one at a time, one does, and all find its bytes.
    """
    with _drafted(path, content) as draft:
        try:
            link(draft, path)
        except FileExistsError:
            _wait_for(path)
            return False
    return True


def _wait_for(path: Path) -> None:
    """Where a file has one name alone, who makes it takes the name before it has the bytes."""
    until = monotonic() + COMING_SECONDS
    while monotonic() < until and path.exists() and not path.stat().st_size:
        sleep(0.01)


def replace(path: Path, content: bytes) -> None:
    """A private file, whole before it takes the place of the one there was, durably."""
    with _drafted(path, content) as draft:
        draft.replace(path)
    sync(path.parent)


@contextmanager
def _drafted(path: Path, content: bytes) -> Iterator[Path]:
    """The content in a durable file beside the path, which is gone afterwards."""
    create_folder(path.parent)
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with create_private(draft) as file:
            file.write(content)
        sync(draft)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def create_folder(folder: Path) -> None:
    """The folder and those above it, private and durable; nothing where it is there."""
    if folder.is_dir():
        return
    create_folder(folder.parent)
    with suppress(FileExistsError):  # just made; or a file, which whoever writes below it finds
        folder.mkdir(mode=0o700)
    sync(folder.parent)


def copy(source: Path, target: Path) -> None:
    """A durable, private copy, in the place of whatever was there."""
    target.unlink(missing_ok=True)
    with source.open("rb") as read, create_private(target) as written:
        shutil.copyfileobj(read, written)
    sync(target)


def names(folder: Path) -> list[str]:
    """What the folder holds, sorted; nothing where there is no folder."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


def _in_words(number: int) -> str:
    name = errno.errorcode.get(number, "unknown fault")
    return _WORDS.get(number, f"the place of the results failed ({name})")
