"""Exports, each in a process of its own, beside the library on ready rows, and beside CSV."""

from __future__ import annotations

import json
import subprocess
import sys
from subprocess import PIPE
from typing import TYPE_CHECKING

from scripts.benchmarks import exporting, homes, tasks
from scripts.benchmarks.figures import PEAK, SECONDS, Sample, at_most, compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

LIBRARY = "pyexcel_xls.save_data on ready rows"
CSV = "csv from the same source"
WRITER = "our workbook writer on ready rows"
WAYS = {
    "ours": exporting.ours,
    WRITER: exporting.writer,
    LIBRARY: exporting.library,
    CSV: exporting.plain,
}


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Seconds from claim to `Completed`, and the process's memory at its highest."""
    for rows in sizes.exports:
        yield from _figures(rows, runs, folder / str(rows))


def _figures(rows: int, runs: int, home: Path) -> Iterator[Figure]:
    with homes.parts_of(home) as parts:
        homes.settle(parts, 1)
        batch_id = parts.batches.generate(tasks.PROJECT, rows)
    rounds = [
        {name: _export(way.__name__, home, batch_id, rows) for name, way in WAYS.items()}
        for _ in range(runs)
    ]
    what = f"export of {rows:,} rows"
    yield compare(what, SECONDS, rounds, WRITER, bar=at_most(1.5))
    for peer in (LIBRARY, CSV):
        for quantity in (SECONDS, PEAK):
            yield compare(what, quantity, rounds, peer)


def _export(way: str, home: Path, batch_id: str, rows: int) -> Sample:
    command = [sys.executable, "-m", "scripts.benchmarks.exporting", way, str(home), batch_id]
    done = subprocess.run(command, cwd=homes.ROOT, stdout=PIPE, check=True)  # noqa: S603 (our own)
    found = Sample(**json.loads(done.stdout))
    if found.number != rows:
        raise ValueError(f"{way} exported {found.number:,} rows of {rows:,}")
    return found
