"""The writer of workbooks alone, in processes of their own, beside the library's and beside CSV."""

from __future__ import annotations

import json
import subprocess
import sys
from subprocess import PIPE
from typing import TYPE_CHECKING

from scripts.benchmarks import homes, writing
from scripts.benchmarks.figures import (
    FILE,
    PEAK,
    SECONDS,
    Bar,
    Quantity,
    Sample,
    at_most,
    compare,
    limited,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure
    from scripts.benchmarks.sizes import Sizes

LIBRARY_ROWS = 1_000_000
"""Rows up to which the library takes part: of these it holds 1.7 GB."""

LIBRARY, PLUGIN, CSV = "pyexcel_xls.save_data", "ours through pyexcel_io.save_data", "csv"
WAYS = {"ours": writing.ours, CSV: writing.plain}
LIBRARIES = {LIBRARY: writing.library, PLUGIN: writing.plugin}

PEAK_MB = 64.0
SPEED: dict[str, Bar] = {LIBRARY: at_most(1 / 8, "8 times as fast"), CSV: at_most(2.5)}
"""Of a million rows; the bars of memory and of the file's size are whatever the count."""

NO_LARGER = at_most(1, "no larger")


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """Seconds to write rows that are there, memory at its highest, and the file's size."""
    for rows in sizes.workbooks:
        for texts in writing.TEXTS:
            yield from _figures(rows, texts, runs, folder)


def _figures(rows: int, texts: str, runs: int, folder: Path) -> Iterator[Figure]:
    ways = WAYS | (LIBRARIES if rows <= LIBRARY_ROWS else {})
    rounds = [
        {name: _write(way.__name__, texts, rows, folder / "book.xls") for name, way in ways.items()}
        for _ in range(runs)
    ]
    for peer in ways:
        for quantity in (SECONDS, PEAK, FILE):
            if peer != "ours":
                bar = _bar(rows, peer, quantity)
                yield compare(
                    f"workbook of {rows:,} rows, {texts}", quantity, rounds, peer, bar=bar
                )
    yield limited(f"workbook of {rows:,} rows, {texts}", PEAK, rounds, PEAK_MB, "under 64 MB")


def _bar(rows: int, peer: str, quantity: Quantity) -> Bar | None:
    if quantity is FILE:
        return NO_LARGER if peer == LIBRARY else None
    return SPEED.get(peer) if quantity is SECONDS and rows == LIBRARY_ROWS else None


def _write(way: str, texts: str, rows: int, path: Path) -> Sample:
    command = [sys.executable, "-m", "scripts.benchmarks.writing", way, texts, str(rows), str(path)]
    done = subprocess.run(command, cwd=homes.ROOT, stdout=PIPE, check=True)  # noqa: S603 (our own)
    path.unlink()
    return Sample(**json.loads(done.stdout))
