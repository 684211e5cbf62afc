"""Two exporters in two processes, each with a task of another owner, beside one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.benchmarks import homes, tasks
from scripts.benchmarks.figures import PER_SECOND, Sample, at_least, compare
from scripts.benchmarks.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.parts import Parts
    from domain.conditions import OwnerId
    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

ONE = "one exporter"
PAIRING = "scripts.benchmarks.pairing"


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Rows a second of one export after the other, and of two at once."""
    with homes.parts_of(folder) as parts:
        owners = [user.owner for user in homes.settle(parts, 2)]
        batch_id = parts.batches.generate(tasks.PROJECT, sizes.pair)
        rounds = [
            {
                ONE: _export(parts, batch_id, sizes.pair, owners[:1]),
                "ours": _export(parts, batch_id, sizes.pair, owners),
            }
            for _ in range(runs)
        ]
    what = f"two exporters of {sizes.pair:,} rows each"
    yield compare(what, PER_SECOND, rounds, ONE, bar=at_least(1.5))


def _export(parts: Parts, batch_id: str, rows: int, owners: list[OwnerId]) -> Sample:
    made = [parts.ledger.create(tasks.creating(owner, batch_id)) for owner in owners]
    seconds, _ = together(*[[PAIRING, str(parts.settings.home)]] * len(owners))
    tasks.must_succeed(parts.ledger, made, rows)
    return Sample(rows * len(owners), seconds)
