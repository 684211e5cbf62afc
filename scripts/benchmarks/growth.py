"""Growth: what a list and a show cost beside few owners and events, and beside very many."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from typing import TYPE_CHECKING, NamedTuple

from scripts.benchmarks import homes, tasks
from scripts.benchmarks.crowd import among
from scripts.benchmarks.figures import CPU_EACH, Sample, compare
from scripts.benchmarks.service import PATH
from scripts.benchmarks.wire import Wire, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.parts import Parts
    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

KINDS = ("list", "show")
FEW = 10
_WARM = 20


class Asked(NamedTuple):
    """A worker, and who asks it for which task."""

    server: homes.Server
    user: homes.User
    task_id: str

    def cost(self, kind: str, number: int) -> Sample:
        """Of so many lists, or shows."""
        path = PATH if kind == "list" else f"{PATH}/{self.task_id}"
        requests = [signed(self.user, "GET", path)] * number
        with Wire(self.server) as wire:
            wire.exchange(requests[:_WARM], 200)
            return wire.exchange(requests, 200)[0]


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """The same requests of the same user, beside more and more of others."""
    with ExitStack() as stack:
        beside = dict(
            stack.enter_context(_beside(folder / str(place), owners, events))
            for place, (owners, events) in enumerate(sizes.growth)
        )
        rounds = {kind: [_round(beside, kind, sizes.lists) for _ in range(runs)] for kind in KINDS}
    few, *more = beside
    for kind in KINDS:
        for many in more:
            yield compare(f"a {kind} {many}", CPU_EACH, rounds[kind], few, many)


def queue(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Shows of a task that waits for an exporter, where few wait, and where many do."""
    few = f"{FEW} waiting"
    with homes.parts_of(folder) as parts:
        user, *others = homes.settle(parts, 2 + sizes.waiting // homes.UNFINISHED)
        task = parts.ledger.create(tasks.creating(user.owner))
        _wait(parts, others, FEW - 1)
        with homes.api(parts.settings) as server:
            asked = Asked(server, user, task.task_id)
            rounds = [{few: asked.cost("show", sizes.queue_shows)} for _ in range(runs)]
            _wait(parts, others, sizes.waiting - FEW)
            for each in rounds:
                each["ours"] = asked.cost("show", sizes.queue_shows)
    yield compare(f"a show of one of {sizes.waiting:,} waiting tasks", CPU_EACH, rounds, few)


@contextmanager
def _beside(home: Path, owners: int, events: int) -> Iterator[tuple[str, Asked]]:
    """A worker, and in words among whom its user is."""
    crowd = among(home, owners, events)
    name = f"beside {crowd.events:,} events of {owners:,} owners"
    with homes.parts_of(home) as parts, homes.api(parts.settings) as server:
        yield name, Asked(server, crowd.user, crowd.task_id)


def _round(beside: dict[str, Asked], kind: str, number: int) -> dict[str, Sample]:
    return {name: asked.cost(kind, number) for name, asked in beside.items()}


def _wait(parts: Parts, users: list[homes.User], number: int) -> None:
    """So many more tasks that no exporter takes."""
    for user in islice(cycle(users), number):
        parts.ledger.create(tasks.creating(user.owner))
