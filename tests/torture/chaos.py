"""Chaos: blows that a seed draws: kills, stops, clock steps, a full disk, no descriptors, restarts.

Which blow follows which, and on which of the processes it falls, is the seed's; when exactly it
meets them is not.
"""

from __future__ import annotations

import resource
import signal
from collections import Counter
from contextlib import suppress
from random import Random
from threading import Event, Thread, Timer
from time import sleep
from typing import TYPE_CHECKING

from tests.torture.running import send

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.torture.clock import Clock
    from tests.torture.disk import Disk
    from tests.torture.options import Options
    from tests.torture.running import Running

DECK = {
    "kill api": 8,
    "kill exporter": 8,
    "kill keeper": 3,
    "kill parent": 1,
    "kill all": 1,
    "stop api": 2,
    "stop exporter": 2,
    "stop keeper": 1,
    "stop parent": 1,
    "clock": 2,
    "disk": 2,
    "descriptors": 2,
    "restart": 1,
}
"""Blows are dealt like cards, so that each kind falls before any falls again too often."""

FARTHEST = 600.0
"""Seconds that the clock may be off: signatures are good for 15 minutes."""

FULL_SECONDS = (2.0, 5.0)
STARVED_SECONDS = (1.0, 3.0)
FED_SECONDS = 2.0
"""In which a server that found no descriptor takes connections again: asyncio waits for one."""

FEWEST = 8
"""Descriptors that a starved process may have: fewer than it has."""


class Chaos(Thread):
    """Strikes until it is told that it is over; `blows` counts what fell, `killed` processes."""

    def __init__(self, options: Options, running: Running, disk: Disk, clock: Clock) -> None:
        super().__init__(name="chaos", daemon=True)
        self._options, self._running = options, running
        self._disk, self._clock = disk, clock
        self._random = Random(f"{options.seed} chaos")
        self._stopped: set[int] = set()
        self._starved: dict[int, tuple[int, int]] = {}
        self._later: list[Timer] = []
        self._deck: list[str] = []
        self.over = Event()
        self.blows: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self.furthest = 0.0
        self.error: BaseException | None = None

    def run(self) -> None:
        """Strikes, and rests."""
        try:
            while not self.over.wait(self._random.uniform(0.4, 1.6) * self._options.pause):
                self._strike(self._dealt())
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        """All that is stopped or starved goes on, and the disk is free."""
        self.leave()
        for timer in self._later:
            timer.cancel()
        self._resume_all()
        self._feed_all()
        self._disk.free()
        if self.error:
            raise self.error

    def leave(self) -> None:
        """No more blows."""
        self.over.set()
        self.join()

    def _dealt(self) -> str:
        if not self._deck:
            self._deck = [blow for blow, times in DECK.items() for _ in range(times)]
            self._random.shuffle(self._deck)
        return self._deck.pop()

    def _strike(self, blow: str) -> None:
        word, _, kind = blow.partition(" ")
        landed = {
            "kill": self._kill,
            "stop": self._halt,
            "clock": self._step,
            "disk": self._fill,
            "descriptors": self._starve,
            "restart": self._restart,
        }[word](kind)
        if landed:
            self.blows[blow] += 1

    def _kill(self, kind: str) -> bool:
        if kind in ("parent", "all"):
            self.killed.update(self._running.kill(everything=kind == "all"))
            self._running.up()
            return True
        pid = self._one(kind)
        if pid is None or not send(pid, signal.SIGKILL):
            return False
        self.killed[kind] += 1
        return True

    def _halt(self, kind: str) -> bool:
        seconds = self._options.lease * self._random.uniform(1.2, 2.5)
        pid = self._one(kind)
        if pid is None or not send(pid, signal.SIGSTOP):
            return False
        self._stopped.add(pid)
        self._after(seconds, lambda: self._resume(pid))
        return True

    def _step(self, _: str) -> bool:
        off = round(self._random.choice((1, 30, FARTHEST)) * self._random.uniform(-1, 1), 3)
        self._clock.set(off)
        self.furthest = max(self.furthest, off)
        return True

    def _fill(self, _: str) -> bool:
        self._disk.fill(leave=self._random.choice((0, 0, 200_000, 2_000_000)))
        self._after(self._random.uniform(*FULL_SECONDS), self._disk.free)
        return True

    def _starve(self, _: str) -> bool:
        """A process finds no free descriptor for a while."""
        seconds = self._random.uniform(*STARVED_SECONDS)
        pid = self._one(self._random.choice(("api", "api", "exporter", "keeper")))
        if pid is None:
            return False
        try:
            kept = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEWEST, kept[1]))
        except ProcessLookupError:
            return False
        self._starved.setdefault(pid, kept)
        self._after(seconds, lambda: self._feed(pid))
        return True

    def _restart(self, _: str) -> bool:
        self._resume_all()
        self._running.stop()
        self._running.up()
        return True

    def _one(self, kind: str) -> int | None:
        drawn, found = self._random.random(), self._running.processes(kind)
        return found[int(drawn * len(found))] if found else None

    def _after(self, seconds: float, what: Callable[[], object]) -> None:
        timer = Timer(seconds, what)
        timer.daemon = True
        self._later.append(timer)
        timer.start()

    def _resume(self, pid: int) -> None:
        self._stopped.discard(pid)
        send(pid, signal.SIGCONT)

    def _resume_all(self) -> None:
        for pid in list(self._stopped):
            self._resume(pid)

    def _feed(self, pid: int) -> None:
        kept = self._starved.pop(pid, None)
        if kept is not None:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, kept)

    def _feed_all(self) -> None:
        """Nobody is starved any more, and every server takes connections."""
        if self._starved:
            for pid in list(self._starved):
                self._feed(pid)
            sleep(FED_SECONDS)
