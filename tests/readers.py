"""Readers of `.xls` files that know nothing of the writer: xlrd, calamine, LibreOffice."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from struct import unpack_from
from typing import TYPE_CHECKING, Any

import xlrd as untyped_xlrd
from python_calamine import CalamineWorkbook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

xlrd: Any = untyped_xlrd

Sheets = dict[str, list[list[str]]]

_END_OF_LINE = re.compile("\r\n|\n\r|\r")

OFFICE = shutil.which("soffice")

# Comma, quote, UTF-8, from the first line, all quoted, as shown, every sheet to a file of its own.
_AS_CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,true,false,false,false,-1"


def by_xlrd(path: Path) -> Sheets:
    with xlrd.open_workbook(str(path)) as book:
        for sheet in book.sheets():
            assert {*map(int, (t for r in range(sheet.nrows) for t in sheet.row_types(r)))} <= {
                xlrd.XL_CELL_TEXT,
                xlrd.XL_CELL_EMPTY,
            }
        return {s.name: [s.row_values(row) for row in range(s.nrows)] for s in book.sheets()}


def by_calamine(path: Path) -> Sheets:
    book = CalamineWorkbook.from_path(path)
    sheets: dict[str, list[list[Any]]] = {
        name: book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        for name in book.sheet_names
    }
    assert all(type(cell) is str for rows in sheets.values() for row in rows for cell in row)
    return sheets


def read(path: Path) -> Sheets:
    """What both readers find, cell by cell the same."""
    sheets = by_xlrd(path)
    assert by_calamine(path) == sheets
    return sheets


def record_kinds(path: Path) -> Iterator[int]:
    """The kinds of all records of the stream, in order."""
    stream, place = xlrd.compdoc.CompDoc(path.read_bytes()).get_named_stream("Workbook"), 0
    while place + 4 <= len(stream) and (head := unpack_from("<HH", stream, place)) != (0, 0):
        yield head[0]
        place += 4 + head[1]


def stored_texts(path: Path) -> tuple[int, int]:
    """How many cells hold texts, and how many texts the file holds for them, as it says itself."""
    stream = xlrd.compdoc.CompDoc(path.read_bytes()).get_named_stream("Workbook")
    start = stream.index(b"\xfc\0", stream.index(b"\x8c\0\x04\0"))  # SST, after COUNTRY
    cells, texts = unpack_from("<II", stream, start + 4)
    return cells, texts


def stream_bytes(path: Path) -> int:
    """The size of the stream of records, as the file's directory says."""
    data = path.read_bytes()
    entry = data.index("Workbook".encode("utf-16-le"))
    (size,) = unpack_from("<Q", data, entry + 120)
    return int(size)


def by_office(path: Path, folder: Path) -> Sheets:
    """What LibreOffice finds: for it each end of a line is LF, and NUL is a question mark."""
    own = f"-env:UserInstallation={(folder / 'office').as_uri()}"
    out = folder / "csv"
    command = [OFFICE, "--headless", own, "--convert-to", _AS_CSV, "--outdir", out, path]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    sheets = {}
    for file in out.glob("*.csv"):
        with file.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.reader(lines))
        sheets[file.stem.removeprefix(f"{path.stem}-")] = [] if rows in ([[]], [[""]]) else rows
    return sheets


def as_office(sheets: Sheets) -> Sheets:
    """The same cells as `by_office` gives them."""
    return {
        name: [[_END_OF_LINE.sub("\n", cell).replace("\0", "?") for cell in row] for row in rows]
        for name, rows in sheets.items()
    }
