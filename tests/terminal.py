"""A command on a pseudo-terminal: what it shows there, and what is typed."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 60.0


class Terminal:
    """A process whose stdin, stdout and stderr are one terminal."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
        )
        os.close(theirs)

    def expect(self, text: str) -> None:
        """Reads until it is shown."""
        until = monotonic() + SECONDS
        while text not in self.shown:
            assert self._read(until - monotonic()), self.shown

    def type(self, line: str) -> None:
        """Types a line."""
        os.write(self._ours, line.encode() + b"\n")

    def end(self) -> int:
        """Reads to the end; the exit code."""
        while self._read(SECONDS):
            pass
        os.close(self._ours)
        return self._process.wait(SECONDS)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], max(0, seconds))[0]:
            return False
        try:
            chunk = os.read(self._ours, 4096)
        except OSError:  # as Linux says that the other side is closed
            return False
        self.shown += chunk.decode(errors="replace")
        return bool(chunk)
