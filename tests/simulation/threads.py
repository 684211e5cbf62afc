"""Threads as the product sees them, run by the kernel: Thread, Event and Lock of `threading`.

They take the place of the originals in the three modules that use any, for as long as a schedule
runs; so no line of the product knows of the simulator.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tests.simulation.kernel import FOREVER, Dead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.kernel import Actor, Kernel

PLACES = (
    ("exporter.sender.Thread", "Thread"),
    ("exporter.sender.Event", "Event"),
    ("exporter.sender.Lock", "Lock"),
    ("exporter.exporter.Event", "Event"),
    ("projections.follower.Lock", "Lock"),
)

_running: list[Kernel] = []


@contextmanager
def simulated() -> Iterator[None]:
    """The product's threads are the kernel's; to be entered once for many schedules."""
    patches = [patch(place, globals()[name]) for place, name in PLACES]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def use(kernel: Kernel) -> None:
    """Threads made from here on are this kernel's."""
    _running[:] = [kernel]


class _Waiting:
    """Actors that wait for something of one process."""

    def __init__(self) -> None:
        self.kernel = _running[-1]
        self._waiting: list[Actor] = []

    def _wait(self, seconds: float) -> None:
        me = self.kernel.current
        assert me
        self._waiting.append(me)
        try:
            self.kernel.sleep(seconds)
        finally:
            if me in self._waiting:
                self._waiting.remove(me)

    def _wake_all(self) -> None:
        for actor in self._waiting:
            self.kernel.wake(actor)
        self._waiting.clear()


class Event(_Waiting):
    """`threading.Event`."""

    def __init__(self) -> None:
        super().__init__()
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._wake_all()

    def wait(self, timeout: float | None = None) -> bool:
        if not self._set:
            self._wait(FOREVER if timeout is None else timeout)
        return self._set


class Lock(_Waiting):
    """`threading.Lock`."""

    def __init__(self) -> None:
        super().__init__()
        self.holder: Actor | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        kernel = self.kernel
        until = kernel.now + (timeout if timeout >= 0 else FOREVER)
        while self.holder is not None:
            left = until - kernel.now
            if not blocking or left <= 0:
                return False
            self._wait(left)
        self.holder = kernel.current
        return True

    def release(self) -> None:
        self.holder = None
        self._wake_all()

    def locked(self) -> bool:
        return self.holder is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Thread:
    """`threading.Thread`: an actor of the process that starts it."""

    def __init__(
        self,
        target: Callable[..., None],
        args: tuple[Any, ...] = (),
        name: str = "thread",
        daemon: bool = False,
    ) -> None:
        self._kernel = _running[-1]
        self._work, self._name = (lambda: target(*args)), name
        self._actor: Actor | None = None

    def start(self) -> None:
        me = self._kernel.current
        assert me
        if me.process.dead:
            raise Dead
        self._actor = self._kernel.spawn(me.process, self._name, self._work)

    def join(self) -> None:
        me, actor = self._kernel.current, self._actor
        assert me
        assert actor
        while not actor.done:
            actor.waiting.append(me)
            self._kernel.sleep(FOREVER)
