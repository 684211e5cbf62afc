"""Lock: one process at a time does something in a folder, and the others can tell which one."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
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
def locked(path: Path) -> Iterator[None]:
    """Holds the lock; it ends with the process, however it ends.

    Raises:
        Held: another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(asdict(_this_process())).encode())
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Held(_holder(os.read(descriptor, _LONGEST))) from error


def _this_process() -> Holder:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Holder(os.getpid(), socket.gethostname(), now)


def _holder(written: bytes) -> str:
    try:
        return str(Holder(**json.loads(written)))
    except (ValueError, TypeError):
        return "a process that has not said which it is"
