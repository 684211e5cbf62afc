"""Layout: which of a file's cells is whose, and samples: what is told of a metric."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Spread(NamedTuple):
    """How many of what was measured lie in each bucket (not in those below), and their sum."""

    counts: Sequence[float]
    sum: float

    @property
    def running(self) -> list[float]:
        """How many are at most a bucket's bound, as Prometheus counts."""
        return list(accumulate(self.counts))


class Sample(NamedTuple):
    """A value of a metric, by its labels' values."""

    metric: str
    labels: tuple[str, ...]
    value: float | Spread


class Series(NamedTuple):
    """Whose cells begin at `at`: one of a counter; of a histogram a bucket each, then the sum.

    Zeros are told where they are `expected`.
    """

    metric: str
    labels: tuple[str, ...]
    at: int
    bounds: tuple[float, ...] | None
    expected: bool


class Layout:
    """All series that a process can count: those, and no others, whatever it is asked."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.series: list[Series] = []

    def cell(self, key: str) -> int:
        """A cell more, of which nothing is told: where it is."""
        self.keys.append(key)
        return len(self.keys) - 1

    def counter(self, metric: str, *labels: str, expected: bool = True) -> int:
        """One cell more: where it is."""
        return self._add(metric, labels, None, [""], expected)

    def histogram(self, metric: str, bounds: tuple[float, ...], *labels: str) -> int:
        """A cell for each bucket, one for what is above all bounds, one for the sum."""
        cells = [*map(str, bounds), "above", "sum"]
        return self._add(metric, labels, bounds, cells, True)

    def told(self, numbers: Sequence[float]) -> Iterator[Sample]:
        """What the cells say."""
        for metric, labels, at, bounds, expected in self.series:
            if bounds is not None:
                end = at + len(bounds) + 1
                yield Sample(metric, labels, Spread(numbers[at:end], numbers[end]))
            elif expected or numbers[at]:
                yield Sample(metric, labels, numbers[at])

    def _add(
        self,
        metric: str,
        labels: tuple[str, ...],
        bounds: tuple[float, ...] | None,
        cells: list[str],
        expected: bool,
    ) -> int:
        at = len(self.keys)
        self.keys += ["\t".join((metric, *labels, cell)) for cell in cells]
        self.series.append(Series(metric, labels, at, bounds, expected))
        return at


def observe(numbers: memoryview[float], at: int, bounds: tuple[float, ...], value: float) -> None:
    """Counts a value in a histogram's cells."""
    numbers[at + bisect_left(bounds, value)] += 1
    numbers[at + len(bounds) + 1] += value
