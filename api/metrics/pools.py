"""Pools: how many of a process's threads for requests are busy, and how many requests wait for one.

A thread that asks stores holds one connection of theirs at most, so that these are their pools too.
"""

from __future__ import annotations

from asyncio import sleep
from typing import TYPE_CHECKING

from api.metrics.cells import Cells, totals
from api.metrics.layout import Layout, Sample
from api.metrics.processes import cells_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anyio import CapacityLimiter

    from api.settings import Settings

NOTED_SECONDS = 1.0
"""How often it is noted down how busy they are."""

_KIND = "pools"


class Pools:
    """The threads of this process, and what those of its node note down; on the event loop."""

    def __init__(self, settings: Settings, limiters: Mapping[str, CapacityLimiter]) -> None:
        self.limiters = limiters
        self._layout = layout = Layout()
        self._at = {name: layout.counter("threads_busy", name) for name in limiters}
        self._waiting = {name: layout.counter("threads_waiting", name) for name in limiters}
        self._most = {name: layout.counter("threads_limit", name) for name in limiters}
        self._folder = cells_folder(settings)
        self._cells = Cells.claim(self._folder, _KIND, layout.keys)
        self._note()

    async def watch(self) -> None:
        """Notes down how busy they are, until it is cancelled."""
        while True:
            self._note()
            await sleep(NOTED_SECONDS)

    def samples(self) -> Iterator[Sample]:
        """Of all processes of this node that run."""
        return self._layout.told(totals(self._folder, _KIND, self._layout.keys, live=True))

    def close(self) -> None:
        """This process notes nothing more."""
        self._cells.close()

    def _note(self) -> None:
        for name, limiter in self.limiters.items():
            numbers = self._cells.numbers
            numbers[self._at[name]] = limiter.borrowed_tokens
            numbers[self._waiting[name]] = limiter.statistics().tasks_waiting
            numbers[self._most[name]] = limiter.total_tokens
