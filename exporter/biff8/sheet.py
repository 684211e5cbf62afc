"""One sheet while its rows come: the cells go to a spool, what frames them is known at its end."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from exporter.biff8.records import SHEET, TooLarge, begin, end, record
from exporter.biff8.rows import ROW_HEIGHT, packed_rows
from exporter.biff8.styles import HEADER, PLAIN
from exporter.biff8.values import packed_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.biff8.spool import Spool
    from exporter.biff8.strings import SharedStrings
    from exporter.biff8.values import Value

SHEET_ROWS, SHEET_COLUMNS = 65_536, 256
"""Rows and columns of a sheet."""

NARROWEST, WIDEST = 10, 60
"""Widths that a column may get, in characters."""

FITTED_ROWS = 100
"""Rows at the top of a sheet whose texts the columns fit."""

_CHARACTER, _MARGIN = 256, 2
_WIDE = ("W", "F")


class Sheet:
    """A sheet that is being written: rows are added at its end, of texts or of empty cells.

    `header`, where there is one, becomes the first row, bold, and stays in sight. The sheet that is
    `shown` is the one that a spreadsheet program opens with.
    """

    def __init__(
        self,
        name: str,
        header: Sequence[str],
        *,
        spool: Spool,
        strings: SharedStrings,
        shown: bool,
    ) -> None:
        self.name, self.rows, self.size = name, 0, 0
        self._spool, self._strings, self._start = spool, strings, spool.size
        self._frozen, self._shown = bool(header), shown
        self._widths: list[int] = []
        if header:
            self._fit(header, len(header))
            self._add(header, len(header), HEADER)

    def add(self, cells: Sequence[str | None], width: int) -> None:
        """Adds whole rows of `width` cells, one after the other; None and "" are empty.

        TooLarge where a sheet has no such rows or columns; ValueError for a text that no cell
        holds, too long or with a lone surrogate, or where the sheet has ended.
        """
        if self.rows < FITTED_ROWS:
            self._fit(cells[: width * (FITTED_ROWS - self.rows)], width)
        self._add(cells, width, PLAIN)

    def add_values(self, rows: Sequence[Sequence[Value]]) -> None:
        """Adds rows of any widths and values, slowly. It raises what `add` and the values do."""
        width = max(map(len, rows), default=0)
        if self.rows < FITTED_ROWS:
            shown = zip_longest(*zip_longest(*rows[: FITTED_ROWS - self.rows]))
            self._fit([v if v is None else str(v) for row in shown for v in row], width)
        after = self._after_rows(len(rows), width)
        self._spool.write(b"".join(packed_values(self.rows, rows, self._strings)))
        self.rows = after

    def end(self) -> None:
        """Ends it; from then on `size` is the bytes of all its records."""
        if not self.size:
            self._rows_bytes = self._spool.size - self._start
            self.size = len(self._before()) + self._rows_bytes + len(self._after())

    def records(self) -> Iterator[bytes]:
        """All its records, in pieces, once it has ended and the spool stands at its rows."""
        yield self._before()
        yield from self._spool.read(self._rows_bytes)
        yield self._after()

    def _add(self, cells: Sequence[str | None], width: int, style: int) -> None:
        after = self._after_rows(len(cells) // width, width)
        numbers = self._strings.numbers(list(filter(None, cells)))
        for piece in packed_rows(self.rows, width, cells, numbers, style):
            self._spool.write(piece)
        self.rows = after

    def _after_rows(self, rows: int, width: int) -> int:
        """How many rows there are after so many more of this width."""
        if self.size:
            raise ValueError(f"the sheet {self.name!r} has ended")
        if width > SHEET_COLUMNS:
            raise TooLarge(f"more than {SHEET_COLUMNS} columns on a sheet")
        if self.rows + rows > SHEET_ROWS:
            raise TooLarge(f"more than {SHEET_ROWS:,} rows on a sheet")
        return self.rows + rows

    def _fit(self, cells: Sequence[str | None], width: int) -> None:
        """Makes columns as wide as these texts need, within bounds."""
        self._widths += [NARROWEST] * (width - len(self._widths))
        for column in range(width):
            longest = max(map(_width, filter(None, cells[column::width])), default=0)
            self._widths[column] = min(max(self._widths[column], longest + _MARGIN), WIDEST)

    def _before(self) -> bytes:
        columns = (
            record(0x007D, "6H", number, number, _CHARACTER * width, PLAIN, 0, 0)  # COLINFO
            for number, width in enumerate(self._widths)
        )
        extent = record(0x0200, "IIHHH", 0, self.rows, 0, len(self._widths), 0)  # DIMENSIONS
        return b"".join([begin(SHEET), _SETTINGS, *columns, extent])

    def _after(self) -> bytes:
        options = 0x00B6 | (0x0108 if self._frozen else 0) | (0x0600 if self._shown else 0)
        window = record(0x023E, "HHHIHHI", options, 0, 0, 64, 0, 0, 0)  # WINDOW2
        if self._frozen:
            window += record(0x0041, "5H", 0, 1, 1, 0, 2)  # PANE: all but one row, the lower
        return window + end()


def _width(text: str) -> int:
    """Characters that the longest line takes, those of East Asia for two."""
    return max(map(_line_width, text[: 4 * WIDEST].splitlines()), default=0)


def _line_width(line: str) -> int:
    if line.isascii():
        return len(line)
    return len(line) + sum(east_asian_width(character) in _WIDE for character in line)


_SETTINGS = b"".join(
    [
        record(0x000D, "h", 1),  # CALCMODE
        record(0x000C, "H", 100),  # CALCCOUNT
        record(0x000F, "H", 1),  # REFMODE
        record(0x0011, "H", 0),  # ITERATION
        record(0x0010, "d", 0.001),  # DELTA
        record(0x005F, "H", 1),  # SAVERECALC
        record(0x002A, "H", 0),  # PRINTHEADERS
        record(0x002B, "H", 0),  # PRINTGRIDLINES
        record(0x0082, "H", 1),  # GRIDSET
        record(0x0080, "4H", 0, 0, 0, 0),  # GUTS
        record(0x0225, "HH", 1, ROW_HEIGHT),  # DEFAULTROWHEIGHT
        record(0x0081, "H", 0x04C1),  # WSBOOL
        record(0x0014),  # HEADER
        record(0x0015),  # FOOTER
        record(0x0083, "H", 0),  # HCENTER
        record(0x0084, "H", 0),  # VCENTER
        # SETUP: paper and its likes undefined, margins of header and footer, one copy
        record(0x00A1, "8HddH", 0, 100, 1, 1, 0, 0x0004, 300, 300, 0.5, 0.5, 1),
        record(0x0055, "H", 8),  # DEFCOLWIDTH
    ]
)
