"""The writer among those of `pyexcel-io`, once this module is imported: `library=LIBRARY` picks it.

Where no library is named, `pyexcel-xls` stays the writer of `.xls`, and it is their reader.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from pyexcel_io.constants import DEFAULT_SHEET_NAME
from pyexcel_io.plugins import IOPluginInfoChainV2

from exporter.biff8.book import Book
from exporter.biff8.properties import Properties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from exporter.biff8.sheet import Sheet
    from exporter.biff8.values import Value

LIBRARY = "export-tasks-biff8"

BATCH_ROWS = 1_024
"""Rows that are held as objects before they are packed."""

# The library has no types.
_plugins: Any = IOPluginInfoChainV2

_TEXTS = {str, type(None)}


class Biff8Writer:
    """Writes a workbook to a file's path, or to a stream of bytes that need not be seekable.

    Keywords: `title` and `created`, a time with a zone, are the document's properties; `header`
    makes each sheet's first row, of texts, bold, and keeps it in sight.
    """

    __module__ = LIBRARY.replace("-", "_")  # where pyexcel-io looks for a library's name

    def __init__(
        self,
        target: str | Path | IO[bytes],
        _file_type: str,
        *,
        title: str = "",
        created: datetime | None = None,
        header: bool = False,
        **_others: Any,
    ) -> None:
        self._target, self._header = target, header
        given = title or created
        self._about = Properties(title, "export-tasks", created) if given else None
        self._book = Book()
        self._sheets: list[Biff8SheetWriter] = []
        self._failed = False

    def create_sheet(self, name: str | None) -> Biff8SheetWriter:
        """The next sheet; those before it have ended."""
        self._end_sheet()
        self._sheets.append(Biff8SheetWriter(self._book, name or DEFAULT_SHEET_NAME, self._header))
        return self._sheets[-1]

    def write(self, sheets: Mapping[str, Iterable[Iterable[Value]]]) -> None:
        """Writes whole sheets; after an error there will be no file."""
        try:
            for name, rows in sheets.items():
                self.create_sheet(name).write_array(rows)
        except BaseException:
            self._failed = True
            raise

    def close(self) -> None:
        """Makes the file, unless `write` failed."""
        with self._book, ExitStack() as files:
            if self._failed:
                return
            self._end_sheet()
            target = self._target
            if isinstance(target, str | Path):
                target = files.enter_context(Path(target).open("wb"))
            self._book.save(target, self._about)

    def _end_sheet(self) -> None:
        for sheet in self._sheets[-1:]:
            sheet.close()


class Biff8SheetWriter:
    """Takes rows of any widths: texts many at once, other values one by one."""

    def __init__(self, book: Book, name: str, header: bool) -> None:
        self._book, self._name, self._header = book, name, header
        self._sheet: Sheet | None = None
        self._rows: list[Sequence[Value]] = []

    def write_row(self, row: Iterable[Value]) -> None:
        """Adds a row."""
        self._rows.append(tuple(row))
        if len(self._rows) == BATCH_ROWS:
            self._flush()

    def write_array(self, rows: Iterable[Iterable[Value]]) -> None:
        """Adds rows."""
        for row in rows:
            self.write_row(row)

    def close(self) -> None:
        """Writes what is held."""
        self._flush()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if self._sheet is None:
            header = rows.pop(0) if self._header and rows else ()
            self._sheet = self._book.sheet(self._name, cast("tuple[str, ...]", header))
        if not rows:
            return
        width = max(1, *map(len, rows))
        cells = list(chain.from_iterable(_even(rows, width)))
        if _TEXTS.issuperset(map(type, cells)):
            self._sheet.add(cast("list[str | None]", cells), width)
        else:
            self._sheet.add_values(rows)


def _even(rows: list[Sequence[Value]], width: int) -> Iterable[Sequence[Value]]:
    if {*map(len, rows)} == {width}:
        return rows
    return ([*row, *[None] * (width - len(row))] for row in rows)


_plugins(__package__).add_a_writer(
    relative_plugin_class_path="plugin.Biff8Writer",
    locations=["file", "memory"],
    file_types=["xls"],
    stream_type="binary",
)
