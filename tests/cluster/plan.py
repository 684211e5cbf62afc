"""Plan: which faults a seed strikes a cluster with, when, and for how long.

It is made before anything starts, so that a seed always means the same; what a fault meets then
is the machine's affair. Faults of different targets overlap, those of one do not.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.cluster.options import ClusterOptions

DATABASE, STORE = "database", "store"

AT_ONCE = (0.0, 0.0)
DECK: dict[str, tuple[int, tuple[float, float]]] = {
    "kill api": (5, AT_ONCE),
    "kill exporter": (5, AT_ONCE),
    "kill keeper": (2, AT_ONCE),
    "kill node": (4, (0.5, 6.0)),
    "restart node": (2, AT_ONCE),
    "stop node": (4, (1.2, 2.5)),
    "stop api": (2, (1.2, 2.5)),
    "stop exporter": (3, (1.2, 2.5)),
    "step clock": (2, (5.0, 20.0)),
    "restart database": (2, (0.0, 2.0)),
    "kill database": (3, (0.0, 4.0)),
    "freeze database": (3, (1.0, 15.0)),
    "kill store": (3, (1.0, 10.0)),
    "pause store": (3, (2.0, 12.0)),
    "slow store": (3, (3.0, 15.0)),
    "fill disk": (3, (2.0, 10.0)),
}
"""How often each is dealt, and for how many seconds; of one that stops, for how many leases."""

AFTERWARDS = 3.0
"""Seconds that a target is left alone after a fault, more or less: it is to work between them."""


UPGRADE = "upgrade node"
"""Of the first node, halfway, where it begins with an earlier program; never left out."""


class Fault(NamedTuple):
    """What is done to whom, from when on (seconds from the beginning), for how long.

    `target` is a node's number from 0, or a server; `draw`, from 0 to 1, says which of several
    processes it meets.
    """

    kind: str
    target: int | str
    at: float
    seconds: float
    draw: float


def planned(options: ClusterOptions, seconds: float) -> list[Fault]:
    """The faults of so many seconds, by their beginnings."""
    random = Random(f"{options.seed} plan")
    faults: list[Fault] = []
    free: dict[int | str, float] = {}
    deck: list[str] = []
    at = 0.0
    while (at := at + random.uniform(0.4, 1.6) * options.pause) < seconds:
        deck = deck or _shuffled(random)
        fault = _drawn(random, deck.pop(), at, options)
        if free.get(fault.target, 0.0) <= at:
            faults.append(fault)
            free[fault.target] = at + fault.seconds + AFTERWARDS
    if options.beside:
        faults.append(Fault(UPGRADE, 0, round(seconds / 2, 2), 0.0, 0.0))
    return sorted(faults, key=lambda each: each.at)


def _shuffled(random: Random) -> list[str]:
    """Dealt like cards, so that each kind falls before any falls again too often."""
    deck = [kind for kind, (times, _) in DECK.items() for _ in range(times)]
    random.shuffle(deck)
    return deck


def _drawn(random: Random, kind: str, at: float, options: ClusterOptions) -> Fault:
    what, _, whom = kind.partition(" ")
    seconds = random.uniform(*DECK[kind][1]) * (options.lease if what == "stop" else 1.0)
    node = random.randrange(options.nodes)
    target = whom if whom in (DATABASE, STORE) else node
    return Fault(kind, target, round(at, 2), round(seconds, 2), random.random())
