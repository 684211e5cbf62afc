"""Rows into an `.xls` workbook: sheets of details as they come, then a summary of what they are."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from exporter.biff8.book import MAX_BYTES, Book
from exporter.biff8.records import TooLarge
from exporter.biff8.sheet import SHEET_ROWS as ALL_ROWS
from exporter.cells import Kind, are_plain, mend
from exporter.disk import Hashed, ResultsFailed, create_private, storing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from exporter.biff8.properties import Properties

    Row = Sequence[str | None]

SHEET_ROWS = ALL_ROWS - 1
"""Rows of data on a sheet, below its header."""

MAX_SHEETS = 255
"""Sheets of details; one more, the summary, makes the 256 that older spreadsheet programs open."""

REPAIRS_LISTED = 1_000
"""Repairs that the summary names one by one."""

SUMMARY = "summary"
SUMMARY_HEADER = ("key", "value")

FIRST_ROWS, BATCH_ROWS, BATCH_BYTES = 32, 1_024, 2**20
"""Rows that are held before they are packed together: few at first, and where they are long."""

ZIP_CLOCK = (1980, 1, 1, 0, 0, 0)
"""The time on the entry of a zip, the earliest that the format has: equal files pack equally."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair of one cell; `row` as the spreadsheet program numbers it, the header being 1."""

    sheet: str
    row: int
    column: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Written:
    """What a closed workbook holds: rows of details, sheets of details, cells repaired.

    `size` is the file's bytes. The summary in it says more of the repairs.
    """

    rows: int
    sheets: int
    repaired: int
    size: int
    sha256: str


class Workbook:
    """A workbook being written (contract, section 5, The workbook).

    It is begun as a new private file, and holds nothing readable before `close`. The columns' names
    are ours and taken as they are; rows have as many cells. Every cell becomes text, or empty where
    it is None or "". Memory does not grow with the rows, which are spooled beside the file. What
    the disk refuses is raised as ResultsFailed; what the rows themselves raise passes through.
    Equal rows give equal bytes. Where the file is to be `kept` it is on the disk by and by.
    """

    def __init__(
        self,
        path: Path,
        header: Sequence[str],
        *,
        sheet: str = "details",
        max_sheets: int = MAX_SHEETS,
        max_bytes: int = MAX_BYTES,
        kept: bool = False,
    ) -> None:
        self._path, self._header, self._name = path, tuple(header), sheet
        self._max_sheets, self._max_bytes, self._kept = max_sheets, max_bytes, kept
        self.rows = self.sheets = 0
        self._held: list[Row] = []
        self._batch_rows = FIRST_ROWS
        self._repaired = 0
        self._kinds: Counter[Kind] = Counter()
        self._listed: list[Repair] = []
        self._closed = False
        self._files = ExitStack()
        with storing():
            self._stream = self._files.enter_context(create_private(path))
        try:
            with storing():
                book = Book(spools=path.parent, max_bytes=max_bytes)
            self._book = self._files.enter_context(closing(book))
            self._begin_details()
        except ResultsFailed:
            self.abandon()
            raise

    def write(self, rows: Iterable[Row]) -> None:
        """Appends rows; raises TooLarge once they exceed the format, a batch later at most.

        After a TooLarge the workbook can only be abandoned.
        """
        rows = iter(rows)
        while taken := list(islice(rows, self._batch_rows - len(self._held))):
            self._held += taken
            self.rows += len(taken)
            if len(self._held) == self._batch_rows:
                self._flush()

    def close(self, summary: Sequence[tuple[str, str]], about: Properties | None = None) -> Written:
        """Writes the summary, after it the repairs, and joins all to the file, with its properties.

        TooLarge where it then exceeds the format; after that, or a ResultsFailed, the workbook can
        only be abandoned.
        """
        self._flush()
        self._begin_sheet(SUMMARY, SUMMARY_HEADER)
        self._append(SUMMARY_HEADER, summary)
        self._append(SUMMARY_HEADER, list(self._repair_pairs()))
        with storing():
            self._book.save(file := Hashed(self._stream, kept=self._kept), about)
            self._files.close()
        self._closed = True
        return Written(self.rows, self.sheets, self._repaired, file.size, file.sha256)

    def abandon(self) -> None:
        """Removes what was written, unless it was closed."""
        if self._closed:
            return
        with suppress(OSError):  # nobody wants the bytes that the disk refuses now
            self._files.close()
        with storing():
            self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        """Packs the rows that are held, and reckons how many to hold from what they took."""
        rows, self._held, before = self._held, [], self._book.size
        while rows:
            room = SHEET_ROWS + 1 - self._sheet.rows
            if room:
                self._append(self._header, rows[:room])
                rows = rows[room:]
            else:
                self._begin_details()
        if self._book.size > self._max_bytes:
            raise TooLarge(f"more than {self._max_bytes:,} bytes of rows and texts")
        fitting = BATCH_BYTES * self._batch_rows // max(1, self._book.size - before)
        self._batch_rows = min(max(fitting, FIRST_ROWS), BATCH_ROWS)

    def _begin_details(self) -> None:
        if self.sheets == self._max_sheets:
            raise TooLarge(f"more than {self._max_sheets * SHEET_ROWS:,} rows")
        self.sheets += 1
        name = self._name if self.sheets == 1 else f"{self._name} ({self.sheets})"
        self._begin_sheet(name, self._header)

    def _begin_sheet(self, name: str, header: Sequence[str]) -> None:
        with storing():
            self._sheet = self._book.sheet(name, header)

    def _append(self, header: Sequence[str], rows: Sequence[Row]) -> None:
        width = len(header)
        for other in {*map(len, rows)} - {width}:
            raise ValueError(f"{other} cells in a row of {width}: {header}")
        cells = list(chain.from_iterable(rows))
        if not are_plain(cells):
            cells = list(chain.from_iterable(self._mended(header, rows)))
        with storing():
            self._sheet.add(cells, width)

    def _mended(self, header: Sequence[str], rows: Sequence[Row]) -> Iterator[Row]:
        for number, row in enumerate(rows, self._sheet.rows + 1):
            yield row if are_plain(row) else self._mended_row(header, number, row)

    def _mended_row(self, header: Sequence[str], number: int, row: Row) -> Row:
        return [
            text if text is None else self._mended_cell(number, column, text)
            for column, text in zip(header, row, strict=True)
        ]

    def _mended_cell(self, row: int, column: str, text: str) -> str:
        mended, kinds = mend(text)
        self._repaired += bool(kinds)
        self._kinds.update(kinds)
        for kind in sorted(kinds)[: REPAIRS_LISTED - len(self._listed)]:
            self._listed.append(Repair(self._sheet.name, row, column, kind))
        return mended

    def _repair_pairs(self) -> Iterator[tuple[str, str]]:
        yield "cells_repaired", str(self._repaired)
        for kind in Kind:
            yield f"cells_repaired_{kind}", str(self._kinds[kind])
        yield "repairs_listed", f"{len(self._listed)} of {self._kinds.total()}"
        for repair in self._listed:
            place = f"{repair.sheet}, row {repair.row}, column {repair.column}"
            yield "repair", f"{place}: {repair.kind}"


def pack(path: Path, name: str) -> Path:
    """A zip of the file beside it, the one entry called `name`; the file itself stays.

    Equal files and names give equal bytes.
    """
    target = path.with_suffix(".zip")
    entry = zipfile.ZipInfo(name, ZIP_CLOCK)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system, entry.external_attr = 3, 0o600 << 16
    with storing(), path.open("rb") as source, create_private(target) as file:
        entry.file_size = path.stat().st_size
        with zipfile.ZipFile(file, "w") as archive, archive.open(entry, "w") as packed:
            shutil.copyfileobj(source, packed, 1024 * 1024)
    return target
