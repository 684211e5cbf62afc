"""Stores: what becomes of the load on each of several event stores, hour by hour and in a storm."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from scripts.benchmarks.figures import percentile
from scripts.benchmarks.scale.population import SLOTS
from scripts.benchmarks.scale.year import HOURS, STORM_MINUTES, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts.benchmarks.scale.population import Population

SECONDS_OF_AN_HOUR = 3600.0
SPREAD_SECONDS = 60.0
"""Within which a task's later transactions follow its create."""


class Measured(NamedTuple):
    """What one store was measured to bear: whole lives of tasks a second, each of so many
    transactions and events; bytes of an event with its indexes; events a second of a rebuild.
    """

    lives_per_second: float
    transactions: int
    events: int
    bytes_of_an_event: float
    rebuilt_per_second: float

    @property
    def service(self) -> float:
        """Seconds for which a transaction has the store for itself."""
        return 1 / (self.lives_per_second * self.transactions)


class Outcome(NamedTuple):
    """Of the busiest of so many stores.

    `share` is its load beside the mean one's; `busy` how much of its busiest hour it works;
    `hour_p99` and `storm_p99` how long 99 of 100 transactions wait in that hour, and where the
    largest project storms in it (seconds); the rest is of the year that it has then behind it.
    """

    stores: int
    by: str
    share: float
    busy: float
    hour_p99: float
    storm_p99: float
    events: float
    gigabytes: float
    rebuild_hours: float


def outcomes(
    people: Population, measured: Measured, counts: Sequence[int], seed: int
) -> Iterator[Outcome]:
    """With each number of stores, by owner and by project."""
    peak = max(weights())
    for count in counts:
        for by in ("owner", "project"):
            yield _outcome(people, measured, count, by, peak, seed)


def store_of(slot: int, count: int) -> int:
    """Which of so many stores has a slot: each a run of neighbours."""
    return slot * count // SLOTS


def _outcome(
    people: Population, measured: Measured, count: int, by: str, peak: float, seed: int
) -> Outcome:
    slots = people.by_owner if by == "owner" else people.by_project
    loads = _gathered(slots, count)
    busiest = max(range(count), key=loads.__getitem__)
    rate = loads[busiest] / (HOURS * SECONDS_OF_AN_HOUR) * peak
    storms = _storming(people, count, by)
    events = loads[busiest] * measured.events
    waits = Waits(measured, seed)
    return Outcome(
        count,
        by,
        share=loads[busiest] / (sum(loads) / count),
        busy=rate / measured.lives_per_second,
        hour_p99=waits.p99(rate, 0),
        storm_p99=waits.p99(rate, storms),
        events=events,
        gigabytes=events * measured.bytes_of_an_event / 1e9,
        rebuild_hours=events / measured.rebuilt_per_second / SECONDS_OF_AN_HOUR,
    )


def _gathered(slots: Sequence[float], count: int) -> list[float]:
    loads = [0.0] * count
    for slot, load in enumerate(slots):
        loads[store_of(slot, count)] += load
    return loads


def _storming(people: Population, count: int, by: str) -> float:
    """How many users of the largest project have their tasks on the store that has most of them."""
    if by == "project":
        return people.largest
    return max(_gathered(people.largest_slots, count))


class Waits:
    """One store, one transaction at a time, in the order in which they come (Lindley)."""

    def __init__(self, measured: Measured, seed: int) -> None:
        self._measured, self._seed = measured, seed

    def p99(self, rate: float, storming: float) -> float:
        """Seconds; of an hour of so many creates a second, in whose midst so many users storm."""
        random = Random(self._seed)  # noqa: S311 (a simulation, to be repeated)
        arrivals = list(self._arrivals(random, rate, 0.0, SECONDS_OF_AN_HOUR))
        if storming:
            begins, lasts = SECONDS_OF_AN_HOUR / 3, STORM_MINUTES * 60
            arrivals += self._arrivals(random, storming / lasts, begins, begins + lasts)
        return percentile(self._waited(sorted(arrivals), random.expovariate), 0.99)

    def _arrivals(self, random: Random, rate: float, begins: float, ends: float) -> Iterator[float]:
        """Creates as chance has it, and what follows each of them."""
        now = begins
        while (now := now + random.expovariate(rate)) < ends:
            yield now
            for _ in range(self._measured.transactions - 1):
                yield now + random.uniform(0, SPREAD_SECONDS)

    def _waited(
        self, arrivals: Sequence[float], drawn: Callable[[float], float]
    ) -> Iterator[float]:
        """Service takes its mean time, give or take: as an exponential's, the worst usual case."""
        free, pace = 0.0, 1 / self._measured.service
        for at in arrivals:
            begins = max(at, free)
            free = begins + drawn(pace)
            yield begins - at
