"""A workbook: sheets one after the other, their rows and texts spooled, joined at the end."""

from __future__ import annotations

from contextlib import ExitStack, closing
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Self

from exporter.biff8 import compound, properties
from exporter.biff8.compound import Small, Stream
from exporter.biff8.names import checked
from exporter.biff8.preamble import preamble
from exporter.biff8.records import TooLarge, end
from exporter.biff8.sheet import Sheet
from exporter.biff8.spool import Spool
from exporter.biff8.strings import SharedStrings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from exporter.biff8.compound import Sink
    from exporter.biff8.properties import Properties

MAX_BYTES = 2**31 - 2**25
"""Bytes of records: a compound file of 512-byte sectors ends at 2 GiB, tables included."""

MAX_SHEETS = 4_112
"""Sheets whose numbers one record holds; older spreadsheet programs open 256."""

STREAM = "Workbook"


class Book:
    """A workbook being written, in memory that does not grow with its rows.

    Rows and texts go to two temporary files in the folder `spools`, or where the system keeps such
    files. `save` joins them; `close`, or the end of a `with`, lets go of them. The same sheets and
    properties give the same bytes. After an error a book can only be closed.
    """

    def __init__(self, *, spools: Path | None = None, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._sheets: list[Sheet] = []
        with ExitStack() as files:
            self._rows = files.enter_context(closing(Spool(spools)))
            self._texts = files.enter_context(closing(Spool(spools)))
            self._files = files.pop_all()
        self._strings = SharedStrings(self._texts)

    @property
    def size(self) -> int:
        """Bytes of rows and texts so far."""
        return self._rows.size + self._texts.size

    def sheet(self, name: str, header: Sequence[str] = ()) -> Sheet:
        """The next sheet; nothing can be added to those before it any more.

        ValueError for a name that a spreadsheet program would not open, or that is taken.
        """
        if len(self._sheets) == MAX_SHEETS:
            raise TooLarge(f"more than {MAX_SHEETS:,} sheets")
        checked(name, [sheet.name for sheet in self._sheets])
        self._end_sheet()
        shown = not self._sheets
        sheet = Sheet(name, header, spool=self._rows, strings=self._strings, shown=shown)
        self._sheets.append(sheet)
        return sheet

    def save(self, file: Sink, about: Properties | None = None) -> None:
        """Writes the whole file, from its first byte to its last; once.

        TooLarge, before a byte is written, where it has more than `max_bytes` of records;
        ValueError where it has no sheet.
        """
        if not self._sheets:
            raise ValueError("a workbook has one sheet at least")
        self._end_sheet()
        self._strings.finish()
        size, pieces = self._joined()
        if size > self._max_bytes:
            raise TooLarge(f"more than {self._max_bytes:,} bytes of rows and texts")
        summary = Small(properties.STREAM, about.packed()) if about else Small()
        compound.write(file, Stream(STREAM, size, pieces), summary)

    def close(self) -> None:
        """Lets go of the temporary files."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end_sheet(self) -> None:
        for sheet in self._sheets[-1:]:
            sheet.end()

    def _joined(self) -> tuple[int, Iterator[bytes]]:
        """The size of the stream, and its pieces: preamble, texts, sheets."""
        names = [sheet.name for sheet in self._sheets]
        first = len(preamble(names, [0] * len(names))) + self._texts.size + len(end())
        *places, size = accumulate((sheet.size for sheet in self._sheets), initial=first)
        self._texts.rewind()
        self._rows.rewind()
        texts = self._texts.read(self._texts.size)
        sheets = chain.from_iterable(sheet.records() for sheet in self._sheets)
        return size, chain([preamble(names, places)], texts, [end()], sheets)
