"""Lag: how long after a create is acknowledged by one node another one shows it."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING

from api.parts import Parts
from scripts.benchmarks import homes
from scripts.benchmarks.figures import Figure, percentile
from scripts.benchmarks.service import PATH, creating
from scripts.benchmarks.wire import Wire, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.homes import User
    from tests.nodes.place import Place
    from tests.nodes.sizes import Sizes

AGAIN = "the same list once more"


def measure(place: Place, sizes: Sizes, runs: int) -> Iterator[Figure]:
    """A list on the other node, asked for at once: it contains what was created, or this ends."""
    rounds = [_round(place, sizes.looks) for _ in range(runs)]
    what = "a list on another node right after a create"
    for unit, of in (("ms for half", median), ("ms for 99 of 100", _p99)):
        first, again = ([of(each[which]) * 1e3 for each in rounds] for which in (0, 1))
        yield Figure(what, unit, AGAIN, tuple(first), tuple(again))


def _round(place: Place, looks: int) -> tuple[list[float], list[float]]:
    here, there = place.nodes(2)
    with Parts(here) as parts:
        users = homes.settle(parts, 1 + looks // homes.UNFINISHED)
    first, again = [], []
    with homes.api(here) as one, homes.api(there) as other, Wire(one, 1) as a, Wire(other, 1) as b:
        for number in range(looks):
            user = users[number // homes.UNFINISHED]
            _, answers = a.exchange([creating(user)], 201)
            made = json.loads(answers[0])["export_task_id"]
            first.append(_look(b, user, made))
            again.append(_look(b, user, made))
    return first, again


def _look(wire: Wire, user: User, task_id: str) -> float:
    sample, answers = wire.exchange([signed(user, "GET", PATH)], 200)
    listed = json.loads(answers[0])["export_tasks"]
    if listed[0]["export_task_id"] != task_id:
        raise LookupError(f"the task {task_id} was acknowledged, and is not shown elsewhere")
    return sample.seconds


def _p99(taken: list[float]) -> float:
    return percentile(taken, 0.99)
