"""Hold: while a backup copies result files, none is deleted; the lock ends with its holder."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING

from exporter.disk import ResultsFailed, create_folder, storing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD_SECONDS = 10.0
"""How long a hold waits for one who only looks whether there is any: that takes a moment."""

_PAUSE = 0.01


class Hold:
    """Held by any number of backups at once, each until it ends, be it by `kill -9`.

    Whoever deletes looks after the log has told that a file is dead. Where the hold began after
    that look, the log that the backup copies, later still, calls the file dead too; so a look is
    enough, and nobody who deletes keeps a backup waiting.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds deletions off.

        Raises:
            ResultsFailed: the lock's file cannot be made; or who looked at it stands still.
        """
        with storing():
            create_folder(self._path.parent)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _share(descriptor)
            yield
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Does a backup run now? Raises ResultsFailed where that cannot be told."""
        with storing():
            try:
                descriptor = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
            return False


def _share(descriptor: int) -> None:
    until = monotonic() + HOLD_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if monotonic() > until:
                raise ResultsFailed(
                    "a sweeper that stands still has the result files", passing=True
                ) from error
        sleep(_PAUSE)
