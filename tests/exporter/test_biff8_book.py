"""Workbooks of our own writer as xlrd and calamine, which know nothing of it, find them."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import cycle, groupby
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.biff8.book import MAX_SHEETS, Book
from exporter.biff8.properties import Properties
from exporter.biff8.records import TooLarge
from exporter.biff8.sheet import SHEET_COLUMNS, SHEET_ROWS
from exporter.biff8.strings import TEXT_UNITS
from tests.readers import by_calamine, by_xlrd, read, record_kinds, stored_texts, stream_bytes
from tests.texts import BYTE_ORDER_MARKS, EMOJI, Rows, rows_of_texts, saved

if TYPE_CHECKING:
    from pathlib import Path


def expected(rows: Rows) -> list[list[str]]:
    """What readers make of it: no cell is None, and empty ones at the end of all are not there."""
    texts = [[cell or "" for cell in row] for row in rows]
    while texts and not any(texts[-1]):
        texts.pop()
    width = max((n for row in texts for n, cell in enumerate(row, 1) if cell), default=0)
    return [row[:width] for row in texts]


def trimmed(rows: list[list[str]]) -> list[list[str]]:
    return expected([list(row) for row in rows])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.xls"


# Texts


@settings(max_examples=200, deadline=None)
@given(sheets=st.lists(rows_of_texts(), min_size=1, max_size=4))
def test_any_texts_come_back_the_same_from_both_readers(
    tmp_path_factory: pytest.TempPathFactory, sheets: list[Rows]
) -> None:
    path = tmp_path_factory.mktemp("any") / "book.xls"
    named = {f"sheet {number}": rows for number, rows in enumerate(sheets)}
    found = read(saved(path, named))
    assert {name: trimmed(rows) for name, rows in found.items()} == {
        name: expected(rows) for name, rows in named.items()
    }


@pytest.mark.parametrize("before", [0, 1, 7, 8_208])
@pytest.mark.parametrize("character", ["a", "\xff", "设", EMOJI])
def test_a_text_may_have_any_length_about_that_of_a_record(
    path: Path, before: int, character: str
) -> None:
    size = len(character.encode("utf-16-le")) // 2 if character > "\xff" else 1
    lengths = [*range(8_210, 8_232), *range(4_100, 4_118), *range(16_435, 16_450)]
    rows: Rows = [["x" * before or None, None]]
    rows += [[character * (length // size), f"{length}"] for length in lengths]
    assert read(saved(path, {"s": rows}))["s"] == [[cell or "" for cell in row] for row in rows]


@pytest.mark.parametrize("character", ["a", "\xff", "设", EMOJI])
def test_a_text_has_as_many_units_as_a_cell_holds_and_not_one_more(
    path: Path, character: str
) -> None:
    size = len(character.encode("utf-16-le")) // 2 if character > "\xff" else 1
    longest = character * (TEXT_UNITS // size)
    assert read(saved(path, {"s": [[longest]]}))["s"] == [[longest]]
    with pytest.raises(ValueError, match="32,768 UTF-16 units: a cell holds 32,767"):
        saved(path, {"s": [[longest + character]]})


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "设\ud83d" + "a"])
def test_a_lone_surrogate_is_refused(path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        saved(path, {"s": [["before", text]]})


@pytest.mark.parametrize("mark", BYTE_ORDER_MARKS)
def test_a_text_may_begin_with_a_byte_order_mark_whatever_a_reader_makes_of_it(
    path: Path, mark: str
) -> None:
    saved(path, {"s": [[mark + "a", "a" + mark]]})
    assert by_xlrd(path)["s"] == [[mark + "a", "a" + mark]]


def test_a_text_that_comes_again_is_stored_once(path: Path) -> None:
    rows: Rows = [[f"only {number}", "always the same", "设备"] for number in range(200_000)]
    parts = {f"{start}": rows[start : start + 50_000] for start in range(0, len(rows), 50_000)}
    saved(path, parts)
    assert stored_texts(path) == (3 * len(rows), len(rows) + 2)
    assert by_xlrd(path)["150000"] == parts["150000"]


@pytest.mark.parametrize("limit", ["GENERATION_TEXTS", "GENERATION_BYTES"])
def test_texts_are_forgotten_when_enough_others_have_come(
    path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(f"exporter.biff8.strings.{limit}", 50)
    rows = [["again", "kept"], *([f"only {n}", "kept"] for n in range(100)), ["again", "kept"]]
    with Book() as book, path.open("wb") as file:
        sheet = book.sheet("s")
        for row in rows:
            sheet.add(row, 2)
        book.save(file)
    assert read(path)["s"] == rows
    assert stored_texts(path) == (2 * len(rows), 100 + 2 + 1)


# Rows, columns, sheets


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 65_535, 65_536])
def test_a_sheet_has_any_number_of_rows_up_to_the_formats(path: Path, count: int) -> None:
    rows: Rows = [[f"d{number}"] for number in range(count)]
    assert read(saved(path, {"s": rows}))["s"] == rows


def test_a_sheet_has_no_row_more_than_the_format(path: Path) -> None:
    with Book() as book:
        sheet = book.sheet("s", ["header"])
        sheet.add(["a"] * (SHEET_ROWS - 1), 1)
        with pytest.raises(TooLarge, match="more than 65,536 rows"):
            sheet.add(["a"], 1)


def test_a_sheet_has_as_many_columns_as_the_format_and_not_one_more(path: Path) -> None:
    row: list[str | None] = [f"{number}" for number in range(SHEET_COLUMNS)]
    assert read(saved(path, {"s": [row]}))["s"] == [row]
    with pytest.raises(TooLarge, match="more than 256 columns"):
        saved(path, {"s": [[*row, "x"]]})


def test_rows_that_are_added_in_parts_of_any_size_are_the_same(path: Path) -> None:
    cells = [None if number % 3 else f"{number}" for number in range(400)]
    with Book() as book, path.open("wb") as file:
        sheet = book.sheet("s")
        for start, end in [(0, 2), (2, 64), (64, 66), (66, 132), (132, 400)]:
            sheet.add(cells[start:end], 2)
        book.save(file)
    found = read(path)["s"]
    assert found == trimmed([[a or "", b or ""] for a, b in zip(*[iter(cells)] * 2, strict=True)])


def test_the_heads_of_32_rows_stand_together_before_their_cells(path: Path) -> None:
    with Book() as book, path.open("wb") as file:
        sheet = book.sheet("s", ["h"])
        sheet.add(["a"] * 40, 1)
        sheet.add(["a"] * 30, 1)
        book.save(file)
    kinds = [kind for kind in record_kinds(path) if kind in (0x0208, 0x00FD)]
    groups = [(kind, len(list(same))) for kind, same in groupby(kinds)]
    expected = [size for size in (1, 31, 9, 23, 7) for _ in range(2)]
    assert groups == list(zip(cycle((0x0208, 0x00FD)), expected, strict=False))


def test_a_workbook_may_have_more_sheets_than_older_programs_open(path: Path) -> None:
    sheets: dict[str, Rows] = {f"sheet {n}": [[f"{n}", "x"]] for n in range(300)}
    assert read(saved(path, sheets)) == sheets


def test_a_workbook_has_as_many_sheets_as_a_record_numbers_and_not_one_more(
    path: Path,
) -> None:
    with Book() as book, path.open("wb") as file:
        for number in range(MAX_SHEETS):
            book.sheet(f"{number}")
        with pytest.raises(TooLarge, match="more than 4,112 sheets"):
            book.sheet("one more")
        book.save(file)
    assert len(by_calamine(path)) == MAX_SHEETS


def test_a_workbook_without_a_sheet_is_refused() -> None:
    with Book() as book, pytest.raises(ValueError, match="one sheet at least"):
        book.save(io.BytesIO())


def test_nothing_is_added_to_a_sheet_that_another_one_follows() -> None:
    with Book() as book:
        first = book.sheet("first")
        book.sheet("second")
        with pytest.raises(ValueError, match="the sheet 'first' has ended"):
            first.add(["a"], 1)


def test_as_many_bytes_as_allowed_may_be_used_and_not_one_more(path: Path) -> None:
    size = stream_bytes(saved(path, {"s": [["a", "b"]] * 200}))
    for max_bytes, fits in ((size, True), (size - 1, False)):
        with Book(max_bytes=max_bytes) as book:
            book.sheet("s").add(["a", "b"] * 200, 2)
            file = io.BytesIO()
            with nullcontext() if fits else pytest.raises(TooLarge, match=f"{max_bytes:,} bytes"):
                book.save(file)
        assert bool(file.getvalue()) == fits


# The file


def test_the_same_rows_names_and_time_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        with Book(spools=tmp_path) as book:
            book.sheet("s", ["h"]).add([f"设 {number % 90}" for number in range(5_000)], 1)
            about = Properties("title", "program", datetime(2026, 1, 2, tzinfo=UTC))
            book.save(file := io.BytesIO(), about)
        made.append(file.getvalue())
    assert made[0] == made[1]
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_written_from_its_first_byte_to_its_last(path: Path) -> None:
    with Book() as book:
        book.sheet("s").add(["a", "b"], 2)
        with (
            path.open("wb") as file,
            subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as pipe,
        ):
            assert pipe.stdin is not None
            book.save(pipe.stdin)
    assert read(path) == {"s": [["a", "b"]]}


MEMORY = """
import sys
from exporter.biff8.book import Book
rows, sheet = int(sys.argv[1]), None
with Book() as book, open(sys.argv[2], "wb") as file:
    for start in range(0, rows, 1_000):
        if start % 65_000 == 0:
            sheet = book.sheet(f"details {start}", list("abcde"))
        sheet.add([text for row in range(start, start + 1_000) for text in (
            f"device-{row:012}", "Success", f"output of {row}: 设备", f"{row % 50}", "x" * 40)], 5)
    book.save(file)
status = open("/proc/self/status").read()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""

LIMIT = 64 * 1024
"""KiB."""


def peak(rows: int, path: Path) -> int:
    """The largest resident size, in KiB, of a process that writes so many rows of five texts."""
    command = [sys.executable, "-c", MEMORY, str(rows), str(path)]
    return int(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)


def test_memory_does_not_grow_with_the_rows(path: Path) -> None:
    fewer, more = peak(100_000, path), peak(300_000, path)
    assert more < LIMIT
    assert more - fewer < 4 * 1024


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", [10_000, 100_000, 1_000_000, 3_000_000])
def test_memory_is_bounded_whatever_the_number_of_rows(path: Path, rows: int) -> None:
    assert peak(rows, path) < LIMIT
