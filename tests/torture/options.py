"""Options: what a torture is asked for; the seed draws the rest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that makes a run; `seconds` are those of load, the settling comes after.

    `lease` and `sweep_after` are the service's, `interval` is that between downloads, `clients`
    are requests under way at once, `pause` is between two blows, `disk` is its size in MB,
    `largest` are the most rows of a batch task.
    """

    seconds: float
    seed: int
    owners: int = 20
    clients: int = 16
    workers: int = 4
    exporters: int = 2
    lease: float = 2.0
    interval: float = 2.0
    sweep_after: float = 20.0
    largest: int = 100_000
    pause: float = 0.9
    disk: int = 1024
    settle: float = 240.0

    @property
    def quiet(self) -> float:
        """Seconds at the end without blows, in which fairness is measured."""
        return min(30.0, max(5.0, self.seconds / 10))

    def document(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)
