"""Pointers: one-line files that say which file of a folder is for what, replaced atomically."""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRAFT = ".pointer-"
_FORMERLY = "current"
"""The only pointer of programs that knew of one version alone."""

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What disks say on which a file has one name alone, as FAT and many network shares."""

_POINTER = re.compile(r"(?:current|former|building)(?:-v\d+)?")


class Pointers:
    """Those of one version of the tables, beside the pointers of others."""

    def __init__(self, folder: Path, version: int) -> None:
        self._folder = folder
        self._suffix = f"-v{version}"
        self._seen: dict[str, tuple[tuple[int, int], str | None]] = {}

    def read(self, pointer: str) -> str | None:
        """What a pointer says; None where there is none."""
        try:
            status = os.stat(f"{self._folder}/{pointer}{self._suffix}")  # noqa: PTH116 (often)
        except FileNotFoundError:
            return None
        file = status.st_ino, status.st_ctime_ns
        seen = self._seen.get(pointer)
        if seen and seen[0] == file:
            return seen[1]
        line = _line(self._path(pointer))
        self._seen[pointer] = file, line
        return line

    def write(self, pointer: str, line: str) -> None:
        """Makes a pointer say something, for every process at its next look; durable."""
        self._draft(line).replace(self._path(pointer))
        sync(self._folder)

    def write_first(self, pointer: str, line: str) -> bool:
        """Makes a pointer where there is none; of several processes that try, one does."""
        draft = self._draft(line)
        try:
            link(draft, self._path(pointer))
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def remove(self, pointer: str) -> None:
        """Removes a pointer."""
        self._path(pointer).unlink(missing_ok=True)

    def formerly(self) -> str | None:
        """What the pointer says that all versions once shared."""
        return _line(self._folder / _FORMERLY)

    def of_others(self) -> Iterator[tuple[Path, str]]:
        """The other versions' pointers, and what they say."""
        for path in self._folder.iterdir():
            if _POINTER.fullmatch(path.name) and not path.name.endswith(self._suffix):
                yield path, _line(path) or ""

    def _path(self, pointer: str) -> Path:
        return self._folder / f"{pointer}{self._suffix}"

    def _draft(self, line: str) -> Path:
        draft = self._folder / f"{DRAFT}{token_hex(8)}"
        draft.write_text(line)
        sync(draft)
        return draft


def sync(path: Path) -> None:
    """Waits until a file, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link(source: Path, final: Path) -> None:
    """The file under its final name, durably; unlike a rename, it fails where the name is taken.

    Where a file cannot have two names, it has lost the other one then.
    """
    try:
        os.link(source, final)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename(source, final)
    sync(final.parent)


def _rename(source: Path, final: Path) -> None:
    """The name is taken first, so that nothing is overwritten but the empty file that took it. A
    power loss in between leaves that: of a result for the sweeper.
    """
    os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        source.replace(final)
    except BaseException:
        final.unlink()
        raise


def _line(path: Path) -> str | None:
    with suppress(FileNotFoundError):
        return path.read_text().strip()
    return None
