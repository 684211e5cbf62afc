"""Exhaustive: every order of a small scene's calls, up to some preemptions.

The scene: an owner with one finished task, a slot and two places; two creates at once on two
nodes, an exporter that looks for work, and a follower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.commands import CompleteTask, CreateTask, SetLimits
from domain.conditions import ExportConditions, File, OwnerId
from domain.fact import Caller
from domain.ledger import Ledger
from domain.refusals import Refusal
from exporter.exporter import Exporter
from tests.simulation.clients import Asking, Client
from tests.simulation.kernel import Actor, Kernel
from tests.simulation.options import Options
from tests.simulation.rest import check_tables
from tests.simulation.stores import SimSource, Stored
from tests.simulation.world import Broken, Direct, World

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = OwnerId("p1", "u0")


@dataclass(frozen=True, slots=True)
class Point:
    """A moment at which several actors could go on: how many, and whether one could have stayed."""

    ready: int
    chosen: int
    stays: bool


class Choosing(Kernel):
    """Follows the choices given, and from there on preempts nobody; remembers every choice."""

    def __init__(self, choices: tuple[int, ...]) -> None:
        super().__init__()
        self._choices = choices
        self.points: list[Point] = []

    def _next(self) -> Actor | None:
        due = sorted(each for each in self._due if each[1] == each[2].ticket and not each[2].done)
        self._due[:] = due
        if not due:
            return None
        self.now = max(self.now, due[0][0])
        ready = [each for each in due if each[0] <= self.now]
        ready.sort(key=lambda each: (each[2] is not self.current, each[2].name))
        chosen = ready[self._choose(ready) if len(ready) > 1 else 0]
        self._due.remove(chosen)
        return chosen[2]

    def _choose(self, ready: list[tuple[float, int, Actor]]) -> int:
        number = len(self.points)
        choice = self._choices[number] if number < len(self._choices) else 0
        self.points.append(Point(len(ready), choice, ready[0][2] is self.current))
        return choice


def explore(preemptions: int) -> Iterator[tuple[tuple[int, ...], str | None]]:
    """Every interleaving with at most so many preemptions: its choices, and what it breaks."""
    left: list[tuple[tuple[int, ...], int]] = [((), 0)]
    while left:
        choices, spent = left.pop()
        kernel = Choosing(choices)
        yield choices, _play(kernel)
        taken = tuple(point.chosen for point in kernel.points)
        for number in range(len(choices), len(taken)):
            point = kernel.points[number]
            cost = spent + point.stays
            if cost <= preemptions:
                others = range(1, point.ready)
                left += [((*taken[:number], other), cost) for other in others]


def _play(kernel: Choosing) -> str | None:
    options = Options.draw(0).changed(
        rates={}, spells={}, latency=0.0, reading=0.0, page=1, batches=1, rows=1, attempts=3,
        turns=False, zip=False, skew=0.0,
    )  # fmt: skip
    world = World(options, kernel=kernel)
    try:
        _set(world)
        kernel.run()
        kernel.spawn(world.outside, "the end", lambda: check_tables(world))
        kernel.run()
        world.judge.rest()
        if world.judge.wrongs:
            return "; ".join(world.judge.wrongs)
    except Broken as error:
        return str(error)
    finally:
        kernel.end()
        for node in world.nodes:
            node.tables.close()
    return None


def _set(world: World) -> None:
    world.owners = [OWNER]
    ledger = Ledger(world.journal(Direct(world), world.true_time))
    ledger.set_limits(SetLimits(1, 2, 30.0, world.operator()))
    task = ledger.create(_creating(world))
    claim = ledger.claim(task.task_id, 1, "e0", 60.0, 3)[1]
    assert claim
    stored = Stored(b"rows", world.true_time())
    key = f"{task.task_id}/1-0.xls"
    world.objects[key] = stored
    file = File(task.task_id, key, 4, stored.sha256, 1, 1, 0, True, "2026-11-24T12:00:00.000Z")
    ledger.complete(CompleteTask(claim, file, 1))
    first, second = world.nodes
    for number, node in enumerate(world.nodes):
        client = Client(world, OWNER, number)
        client.act(node.api.process, lambda c=client, n=node: _create(world, c, Asking(c, n)))
    step, follower = _exporter(world).step, second.keeper
    world.kernel.spawn(first.exporter.process, "exporter", step)
    world.kernel.spawn(follower.process, "follower", follower.catch_up)


def _creating(world: World) -> CreateTask:
    conditions = ExportConditions("BatchTask", '{"task_id":"b0"}', "xls", "GLOBAL", None)
    return CreateTask(OWNER, conditions, None, None, Caller("u0", world.request_id(), "AK", None))


def _create(world: World, client: Client, asking: Asking) -> None:
    command = _creating(world)
    try:
        task = asking.parts.ledger.create(command)
    except Refusal:
        return asking.full(command.caller)
    made = world.judge.requests.get(command.caller.request_id)
    return asking.must(made == task.task_id, "acknowledged, and not in the log")


def _exporter(world: World) -> Exporter:
    parts = world.nodes[0].exporter
    return Exporter(
        parts.ledger,
        parts.queries,
        SimSource(world, parts.process),
        parts.results,
        name="e1",
        lease=60.0,
        clock=parts.node.clock,
        watch=parts.node.watch,
        nonce=world.nonce,
        chance=world.product_chance,
    )
