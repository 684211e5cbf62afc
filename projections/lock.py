"""Lock: one process at a time does something in a folder, and the others can tell which one."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from socket import gethostname
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, and since when."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class Held(Exception):
    """Another process holds the lock; the text says which, if it has said so."""


@contextmanager
def locked(path: Path, *, plain: bool = False, lasting: bool = True) -> Iterator[None]:
    """Holds the lock; it ends with the process, however it ends.

    A `plain` one tells the process alone, for whoever signals it by that; one that is not `lasting`
    leaves no file behind where it ends well.

    Raises:
        Held: another process holds it.
    """
    descriptor = _taken(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _said(plain).encode())
        yield
    finally:
        if not lasting:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _taken(path: Path) -> int:
    """The file that is at the path when the lock is had: whoever had it may have removed it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except BlockingIOError as error:
            held = Held(_holder(descriptor))
            os.close(descriptor)
            raise held from error
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _said(plain: bool) -> str:
    now = _text(datetime.now(UTC))
    return (
        str(os.getpid()) if plain else json.dumps(asdict(Holder(os.getpid(), gethostname(), now)))
    )


def _holder(descriptor: int) -> str:
    written = os.read(descriptor, _LONGEST)
    if written.isdigit():
        since = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)
        return f"process {int(written)}, since {_text(since)}"
    try:
        return str(Holder(**json.loads(written)))
    except (ValueError, TypeError):
        return "a process that has not said which it is"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
