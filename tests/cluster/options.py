"""Options: what a torture of a cluster is asked for; the seed draws the rest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tests.torture.options import Options

if TYPE_CHECKING:
    from tests.cluster.scene import Source


@dataclass(frozen=True, slots=True)
class ClusterOptions(Options):
    """Everything that makes a run; `workers` and `exporters` are those of each node.

    With `beside` the first node runs the program of that commit, until it is upgraded halfway.
    `pause` is between the beginnings of two faults, on average; each node has a disk of so many MB.
    """

    nodes: int = 3
    source: Source = "embedded"
    clients: int = 40
    workers: int = 2
    exporters: int = 2
    pause: float = 3.0
    largest: int = 9_000
    disk: int = 256
    beside: str = ""

    def document(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)
