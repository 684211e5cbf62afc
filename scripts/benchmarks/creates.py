"""Creates through the ledger, in this process, beside raw inserts of the same rows."""

from __future__ import annotations

from contextlib import closing
from itertools import cycle, islice
from typing import TYPE_CHECKING

from domain.journal import Journal
from domain.ledger import Ledger
from projections.log import open_log
from scripts.benchmarks import raw, tasks
from scripts.benchmarks.figures import CPU_EACH, PER_SECOND, Sample, Stopwatch, compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

RAW = "raw SQLite inserts of the same rows"


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Creates by many owners, then by one who has fifty tasks already."""
    yield from _figures("creates, many owners", sizes.owners, sizes.creates, runs, folder)
    yield from _figures("creates, one hot owner", 1, sizes.creates, runs, folder)


def _figures(what: str, owners: int, creates: int, runs: int, folder: Path) -> Iterator[Figure]:
    rounds = [
        _round(folder / f"{owners}-owners-{number}", owners, creates) for number in range(runs)
    ]
    for quantity in (PER_SECOND, CPU_EACH):
        yield compare(what, quantity, rounds, RAW)


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
