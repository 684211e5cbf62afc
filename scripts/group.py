"""Group: child processes started together, started again when they die, stopped together."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from domain.refusals import Refusal

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping

READY = b"ready\n"
"""What a child writes to its stdout once it does its work."""

SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 10.0
"""A child that lived this long did not die at once: its next pause is the shortest again."""

STOP_SECONDS = 40.0
"""After which a child that was asked to stop is killed."""

ONE_SIGNAL_SECONDS = 1.0
"""Signals within so long are one: `timeout` and others signal a process, and then its group."""

_ROOT = str(Path(__file__).parent.parent)
_START = "import sys; sys.path.append(sys.argv.pop(1)); from scripts.cli import main; main()"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the group: its command line, and the descriptors it is given.

    One that is `last` is asked to stop when all others have ended. One that `waits` is not started
    before the group is clear.
    """

    name: str
    command: list[str]
    descriptors: tuple[int, ...] = ()
    last: bool = False
    waits: bool = False


class ChildFailed(Refusal):
    """A child ended before it was ready for the first time; its own words are on stderr."""


def command_line(*arguments: str) -> list[str]:
    """How this installation's `export-tasks` is run again, from whichever folder."""
    return [sys.executable, "-P", "-c", _START, _ROOT, *arguments]


class Group:
    """Children that live and end together.

    Each child's stdin is a pipe that ends when this process does, even by `kill -9`, and its
    stdout tells when it is ready. Signals from the terminal reach this process alone.
    """

    def __init__(self, children: list[Child], environment: Mapping[str, str]) -> None:
        self._children = children
        self._last = {child.name for child in children if child.last}
        self._environment = environment
        self._running: dict[str, Process] = {}
        self._stopping, self._over = asyncio.Event(), Event()
        self._clear = asyncio.Event()
        self._failed: str | None = None
        self._killed = False
        self._asked = -inf

    async def run(
        self, announce: Callable[[], None], check: Callable[[Event], object] | None = None
    ) -> bool:
        """Runs until SIGTERM or SIGINT; false where a child had to be killed.

        `announce` is called once, when every child is ready. A second signal, a second later or
        more, kills at once. With `check`, which is given what is set when the group stops, the
        group is clear when that returns, and `announce` is called before, if any child need not
        wait for it.

        Raises:
            ChildFailed: one ended before it was ready for the first time; all are stopped.
            Exception: what `check` raises; all are stopped.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        ready = [asyncio.Event() for _ in self._children]
        now = [event for child, event in zip(self._children, ready, strict=True) if not child.waits]
        first = now if check and now else ready
        announcing = asyncio.create_task(self._announce(first, announce))
        checking = asyncio.create_task(self._checked(check))
        await asyncio.gather(*map(self._keep, self._children, ready))
        announcing.cancel()
        await checking
        if self._failed:
            raise ChildFailed(f"{self._failed} could not start")
        return not self._killed

    async def _checked(self, check: Callable[[Event], object] | None) -> None:
        try:
            if check:
                await asyncio.to_thread(check, self._over)
        except BaseException:
            self._stop()
            raise
        finally:
            self._clear.set()

    async def _announce(self, ready: list[asyncio.Event], announce: Callable[[], None]) -> None:
        for each in ready:
            await each.wait()
        announce()

    async def _keep(self, child: Child, ready: asyncio.Event) -> None:
        pause = SHORTEST_PAUSE
        if child.waits:
            await self._clear.wait()
        while not self._stopping.is_set():
            began = monotonic()
            code = await self._live(child, ready)
            if self._stopping.is_set():
                return None
            if not ready.is_set():
                self._failed = child.name
                return self._stop()
            pause = SHORTEST_PAUSE if monotonic() - began > STEADY_SECONDS else pause
            log.warning("%s ended with %s; it starts again in %g s", child.name, code, pause)
            await self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return None

    async def _live(self, child: Child, ready: asyncio.Event) -> int:
        process = await asyncio.create_subprocess_exec(
            *child.command,
            stdin=PIPE,
            stdout=PIPE,
            env=self._environment,
            pass_fds=child.descriptors,
            process_group=0,
        )
        self._running[child.name] = process
        if self._stopping.is_set():
            _signal(process, signal.SIGTERM)
        if process.stdout and await process.stdout.readline() == READY:
            ready.set()
        code = await process.wait()
        del self._running[child.name]
        if self._stopping.is_set():
            self._stop_last()
        return code

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _on_signal(self) -> None:
        if not self._stopping.is_set():
            log.info("stopping")
            self._asked = monotonic()
            self._stop()
        elif monotonic() - self._asked >= ONE_SIGNAL_SECONDS:
            self._kill()

    def _stop(self) -> None:
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._over.set()
        for name in self._running.keys() - self._last:
            _signal(self._running[name], signal.SIGTERM)
        self._stop_last()
        asyncio.get_running_loop().call_later(STOP_SECONDS, self._kill)

    def _stop_last(self) -> None:
        if self._running.keys() <= self._last:
            for process in self._running.values():
                _signal(process, signal.SIGTERM)

    def _kill(self) -> None:
        for name, process in self._running.items():
            log.error("%s did not stop in time; it is killed", name)
            self._killed = True
            _signal(process, signal.SIGKILL)


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)
