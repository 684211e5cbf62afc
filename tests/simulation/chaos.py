"""Chaos: what happens to nodes and installation in time, apart from faults at calls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from domain.commands import SetLimits
from domain.refusals import Unavailable
from tests.simulation.kernel import Dead

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.ledger import Ledger
    from tests.simulation.kernel import Process
    from tests.simulation.node import Node
    from tests.simulation.world import World

RESTORE_SECONDS = 3.0
NEWER_FILES = 0.6
OFF_MEANWHILE = 0.3
OFF_SECONDS = 20.0


class Chaos:
    """Each kind of mishap comes at times of its own."""

    def __init__(self, world: World) -> None:
        self.world, self.chance = world, world.chance

    def start(self) -> None:
        """Begins to happen."""
        for kind, mean in self.world.options.spells.items():
            happen = getattr(self, "_" + kind.replace(" ", "_"))
            live = partial(self._live, kind, happen, mean)
            self.world.kernel.spawn(self.world.outside, f"chaos: {kind}", live)

    def _live(self, kind: str, happen: Callable[[], None], mean: float) -> None:
        world = self.world
        while True:
            world.kernel.sleep(self.chance.expovariate(1 / mean))
            if not world.faulty:
                return
            world.faults[kind] += 1
            world.tell(f"chaos: {kind}")
            happen()

    def _process(self) -> Process:
        return self.chance.choice(self._node().parts).process

    def _node(self) -> Node:
        return self.chance.choice(self.world.nodes)

    def _kill(self) -> None:
        self._process().kill()

    def _power_loss(self) -> None:
        self._node().kill()

    def _stop(self) -> None:
        """SIGTERM to an exporter."""
        node = self._node()
        if node.stop_exporter:
            node.stop_exporter.set()

    def _freeze(self) -> None:
        """SIGSTOP to any process, often for longer than a lease."""
        self._process().freeze(self.chance.random() * 3 * self.world.options.lease)

    def _clock(self) -> None:
        """A clock jumps, or runs wrong from now on."""
        options = self.world.options
        self._node().skew = self.chance.choice((-1, 1, 0)) * self.chance.random() * options.skew

    def _limits(self) -> None:
        options, world = self.world.options, self.world
        unfinished = min(self.chance.randint(1, options.unfinished) for _ in range(2))
        kept = self.chance.choice((unfinished, max(unfinished, options.kept)))
        self._order(SetLimits(unfinished, kept, options.interval, world.operator()))

    def _order(self, command: SetLimits) -> None:
        self._operate(lambda ledger: ledger.set_limits(command))

    def _close(self) -> None:
        """A user is removed."""
        owner = self.chance.choice(self.world.owners)
        self._operate(lambda ledger: ledger.close(owner, self.world.operator()))

    def _operate(self, command: Callable[[Ledger], None]) -> None:
        """An operator's command, in an API's process for want of one of its own."""
        api, actor = self._node().api, self.world.kernel.current
        assert actor
        if api.process.dead:
            return
        home, actor.process = actor.process, api.process
        try:
            command(api.ledger)
        except (Unavailable, Dead):
            self.world.met("an operator's command fails")
        finally:
            actor.process = home

    def _backup(self) -> None:
        self.world.back_up()

    def _restore(self) -> None:
        """A disaster: all that is left is a backup, taken some time before."""
        world = self.world
        self._backup()
        world.kernel.sleep(self.chance.expovariate(1 / RESTORE_SECONDS))
        if not world.faulty:
            return
        count, objects = self.chance.choice(world.backups)
        if self.chance.random() < NEWER_FILES:
            objects = {**world.objects, **objects}
            world.met("newer files lie beside a restored log")
        if self.chance.random() < OFF_MEANWHILE:
            self._node().off_until = world.kernel.now + self.chance.random() * OFF_SECONDS
            world.met("a node is off while a backup is restored")
        world.restore(count, objects)
        world.met("an older backup is restored")
