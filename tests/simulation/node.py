"""Node: a machine with an API process, an exporter and a keeper, of the product's own parts."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from domain.ledger import Ledger
from domain.refusals import Refusal
from exporter.disk import ResultsFailed
from exporter.exporter import Exporter
from exporter.sweeper import Sweeper
from projections.follower import Follower
from projections.queries import Queries
from tests.facts import NOON
from tests.simulation.kernel import Process
from tests.simulation.stores import SimRecorder, SimResults, SimSource, SimTables
from tests.simulation.threads import Event

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.simulation.world import World

CATCH_UP_SECONDS = 10.0
RESTART_SECONDS = 1.0
MONOTONIC = 1000.0


class Node:
    """One machine: its clock, its read tables, and its processes, started again when they die."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.skew = 0.0
        self.off_until = 0.0
        self.tables = SimTables(world, name)
        self.api = Parts(self, "api")
        self.exporter = Parts(self, "exporter")
        self.keeper = Parts(self, "keeper")
        self.stop_exporter: Event | None = None

    @property
    def parts(self) -> tuple[Parts, Parts, Parts]:
        """All of its processes."""
        return self.api, self.exporter, self.keeper

    def clock(self) -> datetime:
        """The machine's clock, which may be wrong."""
        return NOON + timedelta(seconds=self.world.kernel.now + self.skew)

    def watch(self) -> float:
        """The machine's monotonic clock."""
        return self.world.kernel.now + MONOTONIC

    def start(self) -> None:
        """Starts every process, and keeps them running."""
        for role, life in (
            ("exporter", self._export),
            ("keeper", self._keep),
            ("api", self._answer),
        ):
            self._supervise(role, life)

    def kill(self) -> None:
        """The power is cut."""
        for parts in self.parts:
            parts.process.kill()

    def _supervise(self, role: str, life: Callable[[Parts], None]) -> None:
        world = self.world

        def supervise() -> None:
            while not world.over:
                parts = Parts(self, role)
                setattr(self, role, parts)
                actor = world.kernel.spawn(parts.process, role, partial(life, parts))
                actor.waiting.append(world.kernel.current)
                world.kernel.sleep(float("inf"))
                if not world.over:
                    off = self.off_until - world.kernel.now
                    world.kernel.sleep(max(off, world.chance.random() * RESTART_SECONDS))

        world.kernel.spawn(world.outside, f"{self.name} supervises its {role}", supervise)

    def _export(self, parts: Parts) -> None:
        world, options = self.world, self.world.options
        self.stop_exporter = stop = Event()
        name = f"e-{world.nonce()}"
        world.exporters[name] = parts.process, stop
        Exporter(
            parts.ledger,
            parts.queries,
            SimSource(world, parts.process),
            parts.results,
            name=name,
            lease=options.lease,
            crashes_allowed=options.attempts,
            download="zip" if options.zip else "xls",
            clock=self.clock,
            watch=self.watch,
            nonce=world.nonce,
            chance=world.product_chance,
        ).run(stop)

    def _keep(self, parts: Parts) -> None:
        world = self.world
        sweeper = self.sweeper(parts)
        next_sweep = 0.0
        while True:
            world.kernel.sleep(CATCH_UP_SECONDS * (0.5 + world.chance.random()))
            self._attempt(parts.catch_up)
            if world.kernel.now >= next_sweep:
                self._attempt(sweeper.sweep)
                next_sweep = world.kernel.now + world.options.sweep_every

    def sweeper(self, parts: Parts) -> Sweeper:
        """What removes dead files."""
        return Sweeper(
            parts.ledger,
            parts.queries,
            parts.results,
            sweep_after=timedelta(seconds=self.world.options.sweep_after),
            clock=self.clock,
        )

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (Refusal, ResultsFailed) as refusal:
            self.world.met(f"the keeper meets {type(refusal).__name__}")

    def _answer(self, parts: Parts) -> None:
        """Requests come from outside, as actors that join the process."""
        del parts
        self.world.kernel.sleep(float("inf"))


class Parts:
    """One process's own parts over the shared stores."""

    def __init__(self, node: Node, role: str) -> None:
        world = node.world
        self.node = node
        self.process = Process(world.kernel, f"{node.name} {role}")
        recorder = SimRecorder(world, self.process)
        self.journal = world.journal(recorder, node.clock)
        self.ledger = Ledger(self.journal, watch=node.watch)
        self.follower = Follower(recorder, node.tables, page=world.options.page, watch=node.watch)
        self.queries = Queries(self.follower)
        self.results = SimResults(world, self.process)

    def catch_up(self) -> None:
        """Brings the node's read tables to the log's head."""
        with self.follower.caught_up():
            pass
