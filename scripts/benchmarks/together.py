"""Together: processes of this benchmark that begin at one moment, when all of them are ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from subprocess import PIPE
from time import perf_counter
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.homes import ROOT
from scripts.group import READY

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ended(Exception):
    """A process ended before it had found anything; its own words are on stderr."""


def together(*processes: Sequence[str]) -> tuple[float, list[Any]]:
    """Runs modules, each named with its arguments, all at once.

    Returns the seconds from the word to begin until the last has ended its work, and what each
    found. Raises Ended.
    """
    python = (sys.executable, "-m")
    with ExitStack() as running:
        started = [running.enter_context(_Started([*python, *each])) for each in processes]
        for each in started:
            each.ready()
        began = perf_counter()
        for each in started:
            each.begin()
        found = [each.found() for each in started]
        return perf_counter() - began, found


def wait_for_the_word() -> None:
    """In such a process: says that it is ready, and waits until all are."""
    os.write(1, READY)
    sys.stdin.readline()


def tell(found: object) -> None:
    """In such a process, at its end: what it found."""
    print(json.dumps(found), flush=True)


class _Started(subprocess.Popen[bytes]):
    def __init__(self, command: list[str]) -> None:
        super().__init__(command, cwd=ROOT, stdin=PIPE, stdout=PIPE)

    def ready(self) -> None:
        if self._line() != READY:
            raise Ended

    def begin(self) -> None:
        if self.stdin:
            self.stdin.close()

    def found(self) -> Any:
        line = self._line()
        if not line:
            raise Ended
        return json.loads(line)

    def _line(self) -> bytes:
        return self.stdout.readline() if self.stdout else b""
