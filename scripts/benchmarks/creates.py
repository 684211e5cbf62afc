"""Creates through the ledger, in this process, beside raw inserts of the same rows."""

from __future__ import annotations

from contextlib import closing
from itertools import cycle, islice
from typing import TYPE_CHECKING

from domain.journal import Journal
from domain.ledger import Ledger
from projections.log import open_log
from scripts.benchmarks import raw, tasks
from scripts.benchmarks.figures import (
    CPU_EACH,
    EACH,
    PER_SECOND,
    Sample,
    Stopwatch,
    at_least,
    compare,
    limited,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

RAW = "raw SQLite inserts of the same rows"
MANY = "creates, many owners"
CPU_MOST = 350.0
"""Microseconds of CPU time that a create may cost."""


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Creates by many owners, then by one who has fifty tasks already."""
    many = _rounds(sizes.owners, sizes.creates, runs, folder)
    yield compare(MANY, PER_SECOND, many, RAW, bar=at_least(0.35))
    yield compare(MANY, CPU_EACH, many, RAW)
    yield limited(MANY, CPU_EACH, many, CPU_MOST, "at most 350 µs")
    hot = _rounds(1, sizes.creates, runs, folder)
    for quantity in (PER_SECOND, CPU_EACH):
        yield compare("creates, one hot owner", quantity, hot, RAW)
    syncs = [raw.sync(folder / "sync", sizes.creates) for _ in range(runs)]
    yield compare("a synced write of 4 KiB, bare", EACH, syncs, raw.UNSYNCED)


def _rounds(owners: int, creates: int, runs: int, folder: Path) -> list[dict[str, Sample]]:
    return [_round(folder / f"{owners}-owners-{number}", owners, creates) for number in range(runs)]


def _round(folder: Path, owners: int, creates: int) -> dict[str, Sample]:
    path = folder / "events.sqlite"
    with closing(open_log(f"sqlite:///{path}")) as log:
        ledger = Ledger(Journal(log.recorder, turns=log.turns))
        ours = _create(ledger, owners, creates)
        return {"ours": ours, RAW: raw.insert_creates_of(path, folder / "raw.sqlite")}


def _create(ledger: Ledger, owners: int, creates: int) -> Sample:
    """Only the creates are timed; an exporter finishes each task, so that slots come free."""
    watch = Stopwatch()
    for owner in islice(cycle(tasks.owners(owners)), creates):
        command = tasks.creating(owner)
        with watch:
            task = ledger.create(command)
        tasks.complete(ledger, task, tasks.claim(ledger, task))
    return watch.sample(creates)
