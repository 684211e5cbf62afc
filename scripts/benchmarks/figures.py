"""Figures: what a measurement found, round by round, as ratios against a peer or a limit."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, nan
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Sample(NamedTuple):
    """So many of something took so many seconds, of CPU too.

    `peak` memory and a file's `size` are in bytes.
    """

    number: int
    seconds: float
    cpu: float = nan
    peak: float = nan
    size: float = nan


class Quantity(NamedTuple):
    """What is read off a sample, in which unit."""

    unit: str
    of: Callable[[Sample], float]


PER_SECOND = Quantity("per second", lambda sample: sample.number / sample.seconds)
EACH = Quantity("µs each", lambda sample: sample.seconds / sample.number * 1e6)
CPU_EACH = Quantity("µs CPU each", lambda sample: sample.cpu / sample.number * 1e6)
MILLISECONDS = Quantity("ms", lambda sample: sample.seconds * 1e3)
SECONDS = Quantity("seconds", lambda sample: sample.seconds)
RESIDENT = Quantity("MB", lambda sample: sample.peak / 1e6)
PEAK = Quantity("MB at most", lambda sample: sample.peak / 1e6)
FILE = Quantity("MB of file", lambda sample: sample.size / 1e6)


LIMIT = "the limit"
"""The peer of a figure that stands beside a number of its own unit."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure's ratio is to reach, as the issue that set it says in `text`."""

    direction: Literal["at least", "at most"]
    number: float
    text: str

    def margin(self, ratio: float) -> float:
        """How well a ratio does: 1 stands on the bar, more is better, less misses it."""
        return ratio / self.number if self.direction == "at least" else self.number / ratio


def at_least(number: float, text: str = "") -> Bar:
    """Ours is to be so many times the peer's, or more."""
    return Bar("at least", number, text or f"at least {number:.3g}")


def at_most(number: float, text: str = "") -> Bar:
    """Ours is to be so many times the peer's, or less."""
    return Bar("at most", number, text or f"at most {number:.3g}")


@dataclass(frozen=True, slots=True)
class Figure:
    """The same quantity of ours and of a peer, round by round; and its bar, if one was set."""

    what: str
    unit: str
    peer: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    bar: Bar | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours divided by the peer's, in each round."""
        return tuple(ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True))

    @property
    def ratio(self) -> float:
        """The median of them."""
        return median(self.ratios)

    @property
    def margin(self) -> float | None:
        """How well the ratio does beside the bar: 1 or more meets it. None without a bar."""
        return self.bar.margin(self.ratio) if self.bar else None

    @property
    def met(self) -> bool | None:
        """Does the ratio reach the bar? None without a bar."""
        return None if self.margin is None else self.margin >= 1


def compare(
    what: str,
    quantity: Quantity,
    rounds: Sequence[Mapping[str, Sample]],
    peer: str,
    ours: str = "ours",
    bar: Bar | None = None,
) -> Figure:
    """A figure of the samples that rounds took side by side, by who was measured."""
    return Figure(
        what,
        quantity.unit,
        peer,
        tuple(quantity.of(each[ours]) for each in rounds),
        tuple(quantity.of(each[peer]) for each in rounds),
        bar,
    )


def limited(
    what: str,
    quantity: Quantity,
    rounds: Sequence[Mapping[str, Sample]],
    limit: float,
    text: str,
    ours: str = "ours",
) -> Figure:
    """A figure that is to be at most a number of its own unit, as `text` says."""
    values = tuple(quantity.of(each[ours]) for each in rounds)
    limits = (limit,) * len(values)
    return Figure(what, quantity.unit, LIMIT, values, limits, at_most(1, text))


def percentile(values: Iterable[float], share: float) -> float:
    """The value that such a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[ceil(len(ordered) * share) - 1]


class Stopwatch:
    """Adds up the time, and this process's CPU time, of what is done under it."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0

    def __enter__(self) -> Self:
        self._began = perf_counter(), process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += perf_counter() - self._began[0]
        self.cpu += process_time() - self._began[1]

    def sample(self, number: int) -> Sample:
        """What has been timed so far, as the time of so many."""
        return Sample(number, self.seconds, self.cpu)


def peak_memory() -> int:
    """This process's largest resident size so far, in bytes.

    `getrusage` would not do: what it says of a child begins with its parent's size.
    """
    return _memory("self", "VmHWM")


def peak_memory_of(pid: int) -> int:
    """Another process's largest resident size so far, in bytes."""
    return _memory(str(pid), "VmHWM")


def memory_of(pid: int) -> int:
    """Another process's resident size now, in bytes."""
    return _memory(str(pid), "VmRSS")


def _memory(process: str, name: str) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
