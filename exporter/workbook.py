"""Rows into an `.xls` workbook: sheets of details as they come, then a summary of what they are."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyexcel_io.writer import Writer
from xlwt.Style import easyxf

from exporter.cells import Kind, is_plain, mend
from exporter.disk import ResultsFailed, create_private, storing
from exporter.shared_strings import SharedStrings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SHEET_ROWS = 65_535
"""Rows of data on a sheet, below its header: BIFF8 has 65,536 rows."""

MAX_SHEETS = 255
"""Sheets of details; one more, the summary, makes the 256 that older spreadsheet programs open."""

MAX_BYTES = 2**31 - 2**25
"""Bytes of cells and texts: a compound file of 512-byte sectors ends at 2 GiB, tables included."""

REPAIRS_LISTED = 1_000
"""Repairs that the summary names one by one."""

SUMMARY = "summary"
SUMMARY_HEADER = ("key", "value")

WIDTHS = {"target": 28, "output": 48, "error_msg": 48, "key": 32, "value": 64}
USUAL_WIDTH = 16
"""Widths of columns by their title, in characters: what is usual in them fits."""

FLUSH_ROWS = 1_024
"""Rows that are held as objects before they go to the sheet's temporary file."""

ZIP_CLOCK = (1980, 1, 1, 0, 0, 0)
"""The time on the entry of a zip, the earliest that the format has: equal files pack equally."""

_ROW_BYTES, _CELL_BYTES = 20, 14
_CHARACTER = 256

# The library has no types.
_open_writer: Any = Writer
_easyxf: Any = easyxf
_BOLD = _easyxf("font: bold on")


class TooLarge(Exception):
    """The rows exceed what the format holds (contract, section 3: IOTDA.014707)."""


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

    `repairs` counts by kind; a cell may count for several kinds.
    """

    rows: int
    sheets: int
    repaired: int
    repairs: Mapping[Kind, int]


class Workbook:
    """A workbook being written (contract, section 5, The workbook).

    It is begun as a new private file, and holds nothing readable before `close`. The columns' names
    are ours and taken as they are; rows have as many cells. Every cell becomes text, or empty where
    it is None or "". What the disk refuses is raised as ResultsFailed; what the rows themselves
    raise passes through. Equal rows give equal bytes.
    """

    def __init__(
        self,
        path: Path,
        header: Sequence[str],
        *,
        sheet: str = "details",
        max_sheets: int = MAX_SHEETS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._path, self._header, self._name = path, tuple(header), sheet
        self._max_sheets, self._max_bytes = max_sheets, max_bytes
        self._row_bytes = _ROW_BYTES + _CELL_BYTES * len(self._header)
        self.rows = self.sheets = self.repaired = 0
        self._kinds: Counter[Kind] = Counter()
        self._listed: list[Repair] = []
        self._closed = False
        self._files = ExitStack()
        with storing():
            stream = self._files.enter_context(create_private(path))
        self._writer = _open_writer("xls", library="pyexcel-xls")
        self._writer.open_stream(stream)
        self._strings = SharedStrings()
        # The table is made by xlwt's constructor and has no public name; a test notices a new one.
        self._writer.writer.work_book._Workbook__sst = self._strings
        try:
            self._begin_details()
        except ResultsFailed:
            self.abandon()
            raise

    @property
    def repairs(self) -> Mapping[Kind, int]:
        """Repairs so far, by kind."""
        return dict(self._kinds)

    def write(self, rows: Iterable[Sequence[str | None]]) -> None:
        """Appends rows, one after the other; raises TooLarge before a row that exceeds the format.

        After a TooLarge the workbook can only be abandoned.
        """
        for row in rows:
            if self._sheet.current_row > SHEET_ROWS:
                self._flush()
                self._begin_details()
            self._append(self._header, row)
            self.rows += 1
            if self._strings.size + self.rows * self._row_bytes > self._max_bytes:
                raise TooLarge(f"more than {self._max_bytes:,} bytes of rows and texts")

    def close(self, summary: Sequence[tuple[str, str]]) -> Written:
        """Writes the summary, after it the repairs, and saves; this takes as long as the rows did.

        ResultsFailed leaves the workbook to be abandoned.
        """
        self._flush()
        self._begin_sheet(SUMMARY, SUMMARY_HEADER)
        for pair in summary:
            self._append(SUMMARY_HEADER, pair)
        for pair in self._repair_pairs():
            self._append(SUMMARY_HEADER, pair)
        self._flush()
        with storing():
            self._writer.close()
            self._files.close()
        self._closed = True
        return Written(self.rows, self.sheets, self.repaired, self.repairs)

    def abandon(self) -> None:
        """Removes what was written, unless it was closed."""
        if self._closed:
            return
        with suppress(OSError):  # nobody wants the bytes that the disk refuses now
            self._files.close()
        with storing():
            self._path.unlink(missing_ok=True)

    def _begin_details(self) -> None:
        if self.sheets == self._max_sheets:
            raise TooLarge(f"more than {self._max_sheets * SHEET_ROWS:,} rows")
        self.sheets += 1
        name = self._name if self.sheets == 1 else f"{self._name} ({self.sheets})"
        self._begin_sheet(name, self._header)

    def _begin_sheet(self, name: str, header: Sequence[str]) -> None:
        self._sheet = self._writer.writer.create_sheet(name)
        self._page = self._writer.writer.work_book.get_sheet(name)
        with storing():  # beside the workbook, not wherever the system keeps temporary files
            rows = tempfile.TemporaryFile(dir=self._path.parent)  # noqa: SIM115
        self._page.row_tempfile = self._files.enter_context(rows)
        for column, title in enumerate(header):
            self._page.write(0, column, title, _BOLD)
            self._page.col(column).width = _CHARACTER * WIDTHS.get(title, USUAL_WIDTH)
        self._sheet.current_row = 1
        self._page.panes_frozen = True
        self._page.horz_split_pos = 1

    def _append(self, header: Sequence[str], row: Sequence[str | None]) -> None:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells in a row of {len(header)}: {header}")
        if not all(map(is_plain, row)):
            row = self._mended(header, row)
        self._sheet.write_row(_without_empty_end(row))
        if self._sheet.current_row % FLUSH_ROWS == 0:
            self._flush()

    def _mended(self, header: Sequence[str], row: Sequence[str | None]) -> list[str | None]:
        return [
            text if text is None else self._mended_cell(column, text)
            for column, text in zip(header, row, strict=True)
        ]

    def _mended_cell(self, column: str, text: str) -> str:
        mended, kinds = mend(text)
        self.repaired += bool(kinds)
        self._kinds.update(kinds)
        for kind in sorted(kinds)[: REPAIRS_LISTED - len(self._listed)]:
            place = self._page.name, self._sheet.current_row + 1, column
            self._listed.append(Repair(*place, kind))
        return mended

    def _repair_pairs(self) -> Iterable[tuple[str, str]]:
        yield "cells_repaired", str(self.repaired)
        for kind in Kind:
            yield f"cells_repaired_{kind}", str(self._kinds[kind])
        yield "repairs_listed", f"{len(self._listed)} of {self._kinds.total()}"
        for repair in self._listed:
            place = f"{repair.sheet}, row {repair.row}, column {repair.column}"
            yield "repair", f"{place}: {repair.kind}"

    def _flush(self) -> None:
        with storing():
            self._page.flush_row_data()


def _without_empty_end(row: Sequence[str | None]) -> Sequence[str | None]:
    """The row up to its last text: a cell that is not written is empty, and costs nothing."""
    used = len(row)
    while used and not row[used - 1]:
        used -= 1
    return row[:used]


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
