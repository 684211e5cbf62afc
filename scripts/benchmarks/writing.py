"""One file of rows written in a process of its own: how long, how much memory, how large."""

from __future__ import annotations

import csv
import json
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.figures import Sample, Stopwatch, peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    Batch = list[tuple[str, ...]]

BATCH_ROWS = 1_000
SHEET_ROWS = 65_000
HEADER = ("target", "status", "output", "error_code", "error_msg")
LATIN = ("output of the device {} is fine", "error message number {}")
CHINESE = ("设备 {} 的输出正常", "错误信息 {}")


def ours(batches: Iterator[Batch], path: Path, watch: Stopwatch) -> None:
    """The writer alone, as the workbook calls it."""
    from exporter.biff8.book import Book

    with path.open("wb") as file, Book(spools=path.parent) as book:
        for number, batch in enumerate(batches):
            with watch:
                if number % (SHEET_ROWS // BATCH_ROWS) == 0:
                    sheet = book.sheet(f"details {number}", HEADER)
                sheet.add(list(chain.from_iterable(batch)), len(HEADER))
        with watch:
            book.save(file)


def plugin(batches: Iterator[Batch], path: Path, watch: Stopwatch) -> None:
    """The same through `pyexcel_io.save_data`, all rows ready in memory."""
    from exporter.biff8.plugin import LIBRARY

    _save_data(batches, path, watch, LIBRARY)


def library(batches: Iterator[Batch], path: Path, watch: Stopwatch) -> None:
    """`pyexcel-xls`, all rows ready in memory."""
    _save_data(batches, path, watch, "pyexcel-xls")


def plain(batches: Iterator[Batch], path: Path, watch: Stopwatch) -> None:
    """The least that writing rows can be: a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for batch in batches:
            with watch:
                writer.writerows(batch)
        with watch:
            file.flush()


def _save_data(batches: Iterator[Batch], path: Path, watch: Stopwatch, library: str) -> None:
    from pyexcel_io import io

    save_data: Any = io.save_data  # the library has no types
    rows = list(chain.from_iterable(batches))
    sheets = {
        f"details {first}": [HEADER, *rows[first : first + SHEET_ROWS]]
        for first in range(0, len(rows), SHEET_ROWS)
    }
    with watch:
        save_data(str(path), sheets, library=library)


WAYS = {way.__name__: way for way in (ours, plugin, library, plain)}
TEXTS = {"latin": LATIN, "chinese": CHINESE}


def made_up(rows: int, texts: tuple[str, str]) -> Iterator[Batch]:
    """Rows of five texts, as devices answer: two of each row are its own, three recur."""
    for first in range(0, rows, BATCH_ROWS):
        yield [
            (
                f"device-{row:012}",
                "Success" if row % 7 else "Fail",
                texts[0].format(row),
                f"IOTDA.{row % 50:06}",
                texts[1].format(row % 1_000),
            )
            for row in range(first, min(rows, first + BATCH_ROWS))
        ]


def main(way: str, texts: str, rows: str, path: str) -> None:
    """Does it one way, and prints the sample as JSON."""
    watch, file = Stopwatch(), Path(path)
    WAYS[way](made_up(int(rows), TEXTS[texts]), file, watch)
    sample = Sample(int(rows), watch.seconds, watch.cpu, peak_memory(), file.stat().st_size)
    print(json.dumps(sample._asdict()))


if __name__ == "__main__":
    main(*sys.argv[1:])
