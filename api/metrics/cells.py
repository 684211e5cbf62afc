"""Cells: numbers of a process in a file of its own, which every process of the node adds up."""

from __future__ import annotations

import fcntl
import logging
import os
import re
from contextlib import suppress
from hashlib import blake2b
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILES_MOST = 1024
"""How many processes of a kind may count beside each other."""

_BYTES = 8
_LOGGER = logging.getLogger(__name__)


class Cells:
    """Numbers that this process alone writes, and any may read while it does.

    A file stays when its process ends, however that ends, and the next one goes on with it: what
    is counted never goes back, and there are never more files than there were processes at once.
    The file's lock tells whether anybody has it. Of which series the cells are is known before
    anything is counted, and is part of the file's name.
    """

    def __init__(self, numbers: memoryview[float], descriptor: int | None, number: int) -> None:
        self.numbers = numbers
        self.number = number
        self._descriptor = descriptor

    @classmethod
    def claim(cls, folder: Path, kind: str, keys: Sequence[str]) -> Self:
        """The first file that no process has; where none can be had, cells that nobody else sees.

        (A process does its work, whether or not it can be counted.)
        """
        size = _BYTES * len(keys)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _remove_former(folder, kind, _name(kind, keys))
            descriptor, number = _first_free(folder, _name(kind, keys))
            os.ftruncate(descriptor, size)
            return cls(memoryview(mmap(descriptor, size)).cast("d"), descriptor, number)
        except OSError as error:
            _LOGGER.warning("this process is not counted: %s", error)
            return cls(memoryview(mmap(-1, size)).cast("d"), None, 0)

    def close(self) -> None:
        """Leaves the file to the next process; what is counted from here on, nobody sees."""
        mapped, self.numbers = self.numbers, memoryview(bytearray(self.numbers.nbytes)).cast("d")
        mapped.release()  # it holds the file, and with it the lock
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Stood:
    """A file of cells as it stood when it was looked at; `live`: a process has it."""

    def __init__(self, number: int, numbers: Sequence[float], live: bool) -> None:
        self.number, self.numbers, self.live = number, numbers, live


def all_cells(folder: Path, kind: str, keys: Sequence[str]) -> Iterator[Stood]:
    """The files of all processes of a kind on this node, also of those that ended."""
    name = _name(kind, keys)
    for path in sorted(folder.glob(f"{name}-*")):
        with suppress(OSError, ValueError), path.open("rb") as file:
            with mmap(file.fileno(), _BYTES * len(keys), access=ACCESS_READ) as mapped:
                numbers = memoryview(bytes(mapped)).cast("d").tolist()
            yield Stood(_number(path), numbers, not _lock(file.fileno(), fcntl.LOCK_SH))


def totals(folder: Path, kind: str, keys: Sequence[str], *, live: bool = False) -> list[float]:
    """What all processes of a kind on this node have counted; or only those that run, which is
    what they are at.
    """
    sums = [0.0] * len(keys)
    for stood in all_cells(folder, kind, keys):
        if stood.live or not live:
            sums = [before + more for before, more in zip(sums, stood.numbers, strict=True)]
    return sums


def _name(kind: str, keys: Sequence[str]) -> str:
    digest = blake2b("\n".join(keys).encode(), digest_size=6).hexdigest()
    return f"{kind}-{digest}"


def _number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _first_free(folder: Path, name: str) -> tuple[int, int]:
    for number in range(1, FILES_MOST + 1):
        descriptor = os.open(folder / f"{name}-{number}", os.O_RDWR | os.O_CREAT, 0o600)
        if _lock(descriptor, fcntl.LOCK_EX):
            return descriptor, number
        os.close(descriptor)
    raise OSError(f"{FILES_MOST} files in {folder} are in use")


def _lock(descriptor: int, how: int) -> bool:
    """Goes with the descriptor."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_former(folder: Path, kind: str, name: str) -> None:
    """Another version's files, unless it still runs."""
    for path in folder.iterdir():
        if re.fullmatch(rf"{kind}-[0-9a-f]{{12}}-\d+", path.name) and not path.match(f"{name}-*"):
            with path.open("rb") as file:
                if _lock(file.fileno(), fcntl.LOCK_EX):
                    path.unlink(missing_ok=True)
