"""Child: a process of a group, started again when it dies, replaced while it runs."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from domain.refusals import Refusal

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

READY = b"ready\n"
"""What a child writes to its stdout once it does its work."""

DRAIN = b"drain\n"
"""What a child finds at its stdin when it will be asked to stop before long."""

SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 10.0
"""A child that lived this long did not die at once: its next pause is the shortest again."""

START_SECONDS = 60.0
"""After which a process that is to take another's place, and is not ready, is given up."""

_ROOT = str(Path(__file__).parent.parent)
_START = "import sys; sys.path.append(sys.argv.pop(1)); from scripts.cli import main; main()"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the group: its command line, and the descriptors it is given.

    One that is `last` is asked to stop when all others have ended, and never runs twice at once.
    """

    name: str
    command: list[str]
    descriptors: tuple[int, ...] = ()
    last: bool = False


class ChildFailed(Refusal):
    """A child ended before it was ready for the first time; its own words are on stderr."""


def command_line(*arguments: str) -> list[str]:
    """How this installation's `export-tasks` is run again, from whichever folder."""
    return [sys.executable, "-P", "-c", _START, _ROOT, *arguments]


class Place:
    """Where one child lives: in one process, or in two for the moment in which it is replaced.

    A process's stdin is a pipe that ends when this process does, even by `kill -9`, and its
    stdout tells when it is ready.
    """

    def __init__(self, child: Child, environment: Mapping[str, str]) -> None:
        self.child = child
        self.ready = asyncio.Event()
        self._environment = environment
        self._processes: list[Process] = []
        self._heir: Process | None = None
        self._handing_over = asyncio.Lock()
        self._renewing = False
        self._draining = False
        self._stopping = asyncio.Event()

    async def keep(self) -> None:
        """Has the child run until it is asked to stop and has ended.

        Raises:
            ChildFailed: it ended before it was ready for the first time.
        """
        pause = SHORTEST_PAUSE
        while not self._stopping.is_set():
            began = monotonic()
            try:
                code: object = await self._live()
            except OSError as error:  # no process can be started just now
                if not self.ready.is_set():
                    raise
                code = error
            if self._stopping.is_set() or self._heir or self._renewing:
                self._renewing = False
                continue
            if not self.ready.is_set():
                raise ChildFailed(f"{self.child.name} could not start")
            pause = SHORTEST_PAUSE if monotonic() - began > STEADY_SECONDS else pause
            log.warning("%s ended with %s; it starts again in %g s", self.child.name, code, pause)
            await self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        for process in self._processes:
            await process.wait()

    async def replace(self) -> bool:
        """Puts a new process in the place of the one that runs, which is asked to stop only when
        the new one is ready; false, and nothing has changed, where that never is.

        Where that one dies meanwhile, `keep` may start another: that is asked to stop too.
        """
        heir = None if self.child.last else await self._start()
        if heir and not await _gets_ready(heir):
            return False
        async with self._handing_over:
            self._heir = heir
            earlier = [process for process in self._running() if process is not heir]
            # `keep` starts what is last when that has ended
            self._renewing = self.child.last and bool(earlier)
        for process in earlier:
            _send(process, signal.SIGTERM)
            await process.wait()
        return True

    def drain(self) -> None:
        """Tells it that it will be asked to stop before long."""
        self._draining = True
        for process in self._running():
            _tell_to_drain(process)

    def stop(self) -> None:
        """Asks it to stop, and does not start it again."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> bool:
        """Kills what still runs; false where nothing did."""
        killed = self._running()
        self._signal(signal.SIGKILL)
        return bool(killed)

    async def _live(self) -> int:
        async with self._handing_over:
            heir, self._heir = self._heir, None
            process = heir or await self._start()
        if not heir and await _says_ready(process):
            self.ready.set()
        return await process.wait()

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *self.child.command,
            stdin=PIPE,
            stdout=PIPE,
            env=self._environment,
            pass_fds=self.child.descriptors,
            process_group=0,
        )
        self._processes = [*self._running(), process]
        if self._draining:
            _tell_to_drain(process)
        if self._stopping.is_set():
            _send(process, signal.SIGTERM)
        return process

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _running(self) -> list[Process]:
        return [process for process in self._processes if process.returncode is None]

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running():
            _send(process, number)


async def _says_ready(process: Process) -> bool:
    return process.stdout is not None and await process.stdout.readline() == READY


async def _gets_ready(process: Process) -> bool:
    """In time, that is; one that does not is ended."""
    with suppress(TimeoutError):
        if await asyncio.wait_for(_says_ready(process), START_SECONDS):
            return True
    _send(process, signal.SIGKILL)
    await process.wait()
    return False


def _tell_to_drain(process: Process) -> None:
    if process.stdin:
        process.stdin.write(DRAIN)


def _send(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)
