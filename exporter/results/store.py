"""Store: what every place of result files promises, and how results are named in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

CHUNK_BYTES = 256 * 1024
"""Bytes that a download reads at a time; what comes from a network may come in longer pieces."""

MARKER = ".export-tasks"
"""The object that holds the id of the log whose results these are."""

HOLD = ".hold"
"""What a backup holds, so that no result is deleted meanwhile: a file, or a folder of a bucket."""

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


def check_range(size: int, start: int, length: int) -> None:
    """Raises ValueError where a result of that size does not have those bytes."""
    if start < 0 or length < 0 or start + length > size:
        raise ValueError(f"no bytes {start}+{length} in a result of {size}")


class Results(Protocol):
    """Where result files are kept. Every method raises ResultsFailed where the place fails."""

    keeps_spools: bool
    """Is the file that a put takes over the one that is kept? Or are its bytes sent elsewhere?"""

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


def result_key(task_id: str, attempt: int, nonce: str, suffix: str) -> str:
    """The key of an attempt's file, with suffix `.xls` or `.zip`; ValueError where it is none.

    The nonce tells apart two attempts of one number: a restored log may give a number again.
    """
    key = f"{task_id}/{attempt}-{nonce}{suffix}"
    check_key(key)
    return key


def parse_key(key: str) -> tuple[str, int] | None:
    """The task's id and the attempt's number; None where it is not a result's key."""
    match = _KEY.fullmatch(key)
    return (match[1], int(match[2])) if match else None


def check_key(key: str) -> None:
    """Raises ValueError where it is none."""
    if parse_key(key) is None:
        raise ValueError(f"not the key of a result: {key!r}")
