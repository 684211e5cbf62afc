"""One export in a process of its own: how long it takes, and how much memory at its highest."""

from __future__ import annotations

import csv
import json
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexcel_xls import save_data

from domain.conditions import OwnerId
from exporter.biff8.book import Book
from exporter.cells import mend
from exporter.sources import DETAIL_COLUMNS
from exporter.workbook import BATCH_ROWS, SHEET_ROWS
from scripts.benchmarks import homes, tasks
from scripts.benchmarks.figures import Sample, Stopwatch, peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.parts import Parts
    from exporter.sources import Detail

# The library has no types.
_save_data: Any = save_data


def ours(parts: Parts, batch_id: str, watch: Stopwatch) -> int:
    """From the source to `Completed`: claim, workbook, result store, event."""
    (member,) = parts.queries.memberships()
    owner = OwnerId(member.project_id, member.user_id)
    task = parts.ledger.create(tasks.creating(owner, batch_id))
    exporter = parts.exporter()
    with watch:
        exporter.step()
    rows = parts.source.count(batch_id)
    tasks.must_succeed(parts.ledger, [task], rows)
    return rows


def writer(parts: Parts, batch_id: str, watch: Stopwatch) -> int:
    """Our writer of workbooks alone, with all rows ready in memory, mended beforehand."""
    rows = [_mended(row) for page in parts.source.pages(batch_id) for row in page]
    path = parts.settings.home / "writer.xls"
    with watch, path.open("wb") as file, Book(spools=path.parent) as book:
        for first in range(0, len(rows), SHEET_ROWS):
            sheet = book.sheet(f"details ({first})", DETAIL_COLUMNS)
            for batch in _batches(rows[first : first + SHEET_ROWS]):
                sheet.add(list(chain.from_iterable(batch)), len(DETAIL_COLUMNS))
        book.save(file)
    return len(rows)


def library(parts: Parts, batch_id: str, watch: Stopwatch) -> int:
    """The library's one call, with all rows ready in memory."""
    rows = list(chain.from_iterable(parts.source.pages(batch_id)))
    sheets = {
        f"details ({first})": [DETAIL_COLUMNS, *rows[first : first + SHEET_ROWS]]
        for first in range(0, len(rows), SHEET_ROWS)
    }
    with watch:
        _save_data(str(parts.settings.home / "library.xls"), sheets)
    return len(rows)


def plain(parts: Parts, batch_id: str, watch: Stopwatch) -> int:
    """The least an export can be: the same pages of the same source, into a CSV file."""
    rows = 0
    with (parts.settings.home / "plain.csv").open("w", newline="") as file, watch:
        writer = csv.writer(file)
        writer.writerow(DETAIL_COLUMNS)
        for page in parts.source.pages(batch_id):
            writer.writerows(page)
            rows += len(page)
    return rows


def _mended(row: Detail) -> list[str]:
    return [mend(cell or "")[0] for cell in row]


def _batches(rows: list[list[str]]) -> Iterator[list[list[str]]]:
    return (rows[at : at + BATCH_ROWS] for at in range(0, len(rows), BATCH_ROWS))


WAYS = {way.__name__: way for way in (ours, writer, library, plain)}


def main(way: str, home: str, batch_id: str) -> None:
    """Does it one way, and prints the sample as JSON."""
    watch = Stopwatch()
    with homes.parts_of(Path(home)) as parts:
        rows = WAYS[way](parts, batch_id, watch)
    sample = Sample(rows, watch.seconds, watch.cpu, peak_memory())
    print(json.dumps(sample._asdict()))


if __name__ == "__main__":
    main(*sys.argv[1:])
