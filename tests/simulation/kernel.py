"""Kernel: virtual time, processes that die and freeze, and who runs next; all from one seed.

An actor is a greenlet. It gives up control only in `Kernel.sleep` and in what waits on it, so that
whatever the product does between two calls of a store happens at one moment.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from greenlet import greenlet

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = float("inf")


class Dead(BaseException):
    """This actor's process was killed: nothing of it runs on, and no store listens to it."""


class OutOfSteps(BaseException):
    """The schedule goes on and on."""


class Process:
    """A process of a node: its actors die together, and freeze together.

    `troubled` is when a fault last met it, or will be over.
    """

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.kernel, self.name = kernel, name
        self.dead = False
        self.frozen_until = 0.0
        self.troubled = 0.0
        self.actors: list[Actor] = []
        kernel.processes.append(self)

    def kill(self) -> None:
        """Ends it where it stands."""
        if not self.dead:
            self.dead = True
            for actor in self.actors:
                self.kernel.wake(actor)

    def freeze(self, seconds: float) -> None:
        """Stops it for a while, as SIGSTOP does."""
        self.frozen_until = max(self.frozen_until, self.kernel.now + seconds)
        self.troubled = max(self.troubled, self.frozen_until)


class Actor:
    """A thread of a process."""

    __slots__ = ("done", "failed", "greenlet", "name", "process", "ticket", "waiting")

    def __init__(self, kernel: Kernel, process: Process, name: str, work: Callable[[], None]):
        self.process, self.name = process, name
        self.done = False
        self.failed: BaseException | None = None
        self.ticket = 0
        self.waiting: list[Actor] = []
        self.greenlet = greenlet(lambda: kernel.live(self, work), kernel.hub)


class Kernel:
    """One schedule's time and turns."""

    def __init__(self, steps: int = 1_000_000) -> None:
        self.now = 0.0
        self.steps = steps
        self.hub = greenlet.getcurrent()
        self.current: Actor | None = None
        self._due: list[tuple[float, int, Actor]] = []
        self._tickets = 0
        self._actors: list[Actor] = []
        self.processes: list[Process] = []

    def spawn(self, process: Process, name: str, work: Callable[[], None]) -> Actor:
        """A new actor, which begins at its turn."""
        actor = Actor(self, process, name, work)
        process.actors.append(actor)
        self._actors.append(actor)
        self._schedule(actor, self.now)
        return actor

    def run(self) -> None:
        """Runs until nobody has anything to do."""
        while self._turn():
            pass

    def sleep(self, seconds: float) -> None:
        """Lets others run for so long; infinitely: until woken.

        Raises:
            Dead: the process was killed meanwhile.
        """
        me = self.current
        assert me
        if me.process.dead:
            raise Dead
        self._tickets += 1
        me.ticket = self._tickets
        if seconds != FOREVER:
            heappush(self._due, (self.now + seconds, me.ticket, me))
        self._switch(me)
        if me.process.dead:
            raise Dead
        while me.process.frozen_until > self.now:
            self._schedule(me, me.process.frozen_until)
            self._switch(me)
            if me.process.dead:
                raise Dead

    def wake(self, actor: Actor) -> None:
        """Ends an actor's sleep now."""
        if not actor.done:
            self._schedule(actor, self.now)

    def live(self, actor: Actor, work: Callable[[], None]) -> None:
        """An actor's life."""
        try:
            if not actor.process.dead:
                work()
        except Dead:
            pass
        except BaseException as error:
            actor.failed = error
            raise
        finally:
            actor.done = True
            for other in actor.waiting:
                self.wake(other)

    def stop(self) -> None:
        """Nobody else has a turn."""
        self._due.clear()

    def end(self) -> None:
        """Kills whatever is left, so that no greenlet outlives its schedule."""
        for process in self.processes:
            process.dead = True
        for actor in self._actors:
            while not actor.done:
                self.current = actor
                if actor.greenlet:
                    actor.greenlet.throw(Dead)
                else:
                    actor.done = True

    def _schedule(self, actor: Actor, when: float) -> None:
        self._tickets += 1
        actor.ticket = self._tickets
        heappush(self._due, (when, actor.ticket, actor))

    def _turn(self) -> bool:
        """Lets the next actor run, from the hub; False where there is none."""
        actor = self._next()
        if actor is None:
            return False
        self.current = actor
        actor.greenlet.switch()
        return True

    def _switch(self, me: Actor) -> None:
        """Lets the next actor run, from an actor; returns at its own next turn."""
        actor = self._next()
        if actor is me:
            return
        if actor is None:
            self.hub.switch()
            return
        self.current = actor
        actor.greenlet.switch()

    def _next(self) -> Actor | None:
        due = self._due
        while due:
            when, ticket, actor = heappop(due)
            if ticket == actor.ticket and not actor.done:
                self.steps -= 1
                if self.steps < 0:
                    raise OutOfSteps
                if when > self.now:
                    self.now = when
                return actor
        return None
