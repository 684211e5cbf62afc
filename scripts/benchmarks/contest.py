"""A hot owner whose tasks several processes create: what each gets done, and who waits longest."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from scripts.benchmarks.figures import Figure, at_least, at_most, percentile
from scripts.benchmarks.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.sizes import Sizes

PROCESSES = 4
CONTENDING = "scripts.benchmarks.contending"
FASTEST, MEDIAN = "the fastest of them", "the median create"


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Creates of one owner by four processes at once, each for the same seconds."""
    rounds = [_round(folder / f"{number}.sqlite", sizes.contest_seconds) for number in range(runs)]
    what = f"one hot owner, {PROCESSES} processes"
    done = [sorted(map(len, each)) for each in rounds]
    yield Figure(
        f"{what}: the slowest",
        "creates",
        FASTEST,
        tuple(each[0] for each in done),
        tuple(each[-1] for each in done),
        at_least(0.5),
    )
    waits = [[1e3 * seconds for taken in each for seconds in taken] for each in rounds]
    yield Figure(
        f"{what}: a create",
        "ms for 99 of 100",
        MEDIAN,
        tuple(percentile(each, 0.99) for each in waits),
        tuple(median(each) for each in waits),
        at_most(20),
    )


def _round(log: Path, seconds: float) -> list[list[float]]:
    _, found = together(*[[CONTENDING, f"sqlite:///{log}", str(seconds)]] * PROCESSES)
    return found
