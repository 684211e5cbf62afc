"""Group: children that start together, are replaced in turn, and stop together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from scripts.child import READY as READY
from scripts.child import Child as Child
from scripts.child import ChildFailed as ChildFailed
from scripts.child import Place
from scripts.child import command_line as command_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STOP_SECONDS = 40.0
"""After which a child that was asked to stop is killed."""

ONE_SIGNAL_SECONDS = 1.0
"""Signals within so long are one: `timeout` and others signal a process, and then its group."""

log = logging.getLogger(__name__)


class Group:
    """Children that live and end together; signals from the terminal reach this process alone.

    `drain` is for how many seconds they are told that they will be asked to stop. `rehearsal` is
    a command that must end with 0 before any of them is replaced. `tell` is told what systemd
    calls READY, RELOADING and STOPPING.
    """

    def __init__(
        self,
        children: list[Child],
        environment: Mapping[str, str],
        *,
        drain: float = 0.0,
        rehearsal: list[str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._places = [Place(child, environment) for child in children]
        self._environment = environment
        self._drain, self._rehearsal, self._tell = drain, rehearsal, tell
        self._stopping = asyncio.Event()
        self._hung_up = asyncio.Event()
        self._at_terminal = os.isatty(0)
        self._failed: ChildFailed | None = None
        self._killed = False
        self._asked = -inf

    async def run(self, announce: Callable[[], None]) -> bool:
        """Runs until SIGTERM or SIGINT; false where a child had to be killed.

        `announce` is called once, when every child is ready. A second signal, a second later or
        more, kills at once. At SIGHUP every child is replaced, one after the other.

        Raises:
            ChildFailed: one ended before it was ready for the first time; all are stopped.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGHUP, self._on_hang_up)
        replacing = asyncio.create_task(self._replace_when_asked(announce))
        last = [asyncio.create_task(self._keep(each)) for each in self._of(last=True)]
        await asyncio.gather(*map(self._keep, self._of(last=False)))
        await self._stopping.wait()
        for place in self._of(last=True):
            place.stop()
        await asyncio.gather(*last)
        replacing.cancel()
        if self._failed:
            raise self._failed
        return not self._killed

    def _of(self, *, last: bool) -> list[Place]:
        return [place for place in self._places if place.child.last == last]

    async def _keep(self, place: Place) -> None:
        try:
            await place.keep()
        except ChildFailed as error:
            self._failed = error
            self._stop()

    # Replacing

    async def _replace_when_asked(self, announce: Callable[[], None]) -> None:
        for place in self._places:
            await place.ready.wait()
        announce()
        self._tell("READY=1")
        while await self._hung_up.wait():
            self._hung_up.clear()
            self._tell("RELOADING=1")
            log.info("restarting one process after the other")
            try:
                await self._replace_all()
            except OSError as error:
                log.error("no process can be started now, the others go on as they are: %s", error)
            self._tell("READY=1")

    async def _replace_all(self) -> None:
        """The first that cannot start is the last that is tried: the others go on as they are."""
        if self._rehearsal and not await self._rehearse(self._rehearsal):
            return log.error("what is to be started could not serve; nothing was restarted")
        for place in self._places:
            if self._is_leaving:
                return None
            if not await place.replace() and not self._is_leaving:
                return log.error("%s could not be started anew; it goes on", place.child.name)
        return log.info("restarted")

    async def _rehearse(self, command: list[str]) -> bool:
        process = await asyncio.create_subprocess_exec(*command, env=self._environment)
        try:
            return await process.wait() == 0
        finally:
            if process.returncode is None:
                process.terminate()

    # Stopping

    @property
    def _is_leaving(self) -> bool:
        return self._asked != -inf or self._stopping.is_set()

    def _on_hang_up(self) -> None:
        """The terminal that this was started at may be gone: then nobody else would stop it."""
        if self._at_terminal and not os.isatty(0):
            self._on_signal()
        else:
            self._hung_up.set()

    def _on_signal(self) -> None:
        if not self._is_leaving:
            log.info("stopping")
            self._asked = monotonic()
            self._leave()
        elif monotonic() - self._asked >= ONE_SIGNAL_SECONDS:
            self._kill()

    def _leave(self) -> None:
        self._tell("STOPPING=1")
        if not self._drain:
            return self._stop()
        for place in self._places:
            place.drain()
        asyncio.get_running_loop().call_later(self._drain, self._stop)
        return None

    def _stop(self) -> None:
        if self._stopping.is_set():
            return
        self._stopping.set()
        for place in self._of(last=False):
            place.stop()
        asyncio.get_running_loop().call_later(STOP_SECONDS, self._kill)

    def _kill(self) -> None:
        self._stop()
        for place in self._places:
            place.stop()
            if place.kill():
                log.error("%s did not stop in time; it is killed", place.child.name)
                self._killed = True
