"""Workbooks as LibreOffice, headless, finds them; where it is not installed, nobody can tell."""

from __future__ import annotations

import random
import sys
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.biff8.book import Book
from tests.readers import OFFICE, Sheets, as_office, by_office, by_xlrd, read
from tests.texts import Rows, rows_of_texts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed"),
    pytest.mark.timeout(300),
]

NO_SURROGATES = [*range(1, 0xD800), *range(0xE000, sys.maxunicode + 1)]
LENGTHS = [0, 1, 255, 256, *range(8_210, 8_232), 32_766, 32_767]


def texts() -> list[str]:
    """Texts of every length that matters, of every plane, and what might be taken for another."""
    chance = random.Random(8)
    found = [character * length for character in "aÿ设" for length in LENGTHS]
    found += ["设" * before + "\U0001f600" * 20 for before in range(4_090, 4_112)]
    found += [chr(number) + "x" for number in range(1, 256)]
    found += [chr(plane << 16 | 0xFFFD) + chr(plane << 16) for plane in range(1, 17)]
    found += ["".join(map(chr, chance.choices(NO_SURROGATES, k=40))) for _ in range(2_000)]
    found += ["\0", "a\0b", "\ufeffa", "\ufffea", "a\ufeff", "\uffff", "\r", "a\r\nb", "\n\n"]
    found += [
        "=1+1",
        "+1",
        "-5",
        "@x",
        "007",
        "1e5",
        "TRUE",
        "#N/A",
        "2026-11-24",
        "'a",
        '"a"',
        " ",
    ]
    return found


def differences(one: Sheets, other: Sheets) -> list[tuple[str, str]]:
    """Cells that differ, their texts shortened."""
    assert one.keys() == other.keys()
    pairs = ((a, b) for name in one for a, b in zip(one[name], other[name], strict=True))
    cells = (pair for a, b in pairs for pair in zip(a, b, strict=True))
    return [(ascii(a[:50]), ascii(b[:50])) for a, b in cells if a != b][:5]


def test_every_cell_of_every_sheet_is_the_same_as_xlrd_finds(tmp_path: Path) -> None:
    path = tmp_path / "book.xls"
    rows = [(text, "|") for text in texts()]
    with Book() as book, path.open("wb") as file:
        sheet = book.sheet("details", ["text", "end"])
        sheet.add(list(chain.from_iterable(rows)), 2)
        book.sheet("设备 Ünïcode, 31 long, as it may").add([None, "a", "b", None], 2)
        for number in range(16):
            book.sheet(f"sheet {number}").add([f"{number}"], 1)
        book.save(file)
    found = by_xlrd(path)
    assert found["details"][1:] == [list(row) for row in rows]
    assert differences(by_office(path, tmp_path), as_office(found)) == []


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(sheets=st.lists(rows_of_texts(most=20), min_size=16, max_size=24))
def test_any_texts_are_the_same_as_the_other_readers_find(
    tmp_path_factory: pytest.TempPathFactory, sheets: list[Rows]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = folder / "book.xls"
    with Book() as book, path.open("wb") as file:
        for number, rows in enumerate(sheets):
            cells = [cell for row in rows for cell in (*row, "|")]
            book.sheet(f"sheet {number}").add(cells, len(cells) // max(1, len(rows)) or 1)
        book.save(file)
    assert differences(by_office(path, folder), as_office(read(path))) == []


def test_a_full_sheet_after_another_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "book.xls"
    with Book() as book, path.open("wb") as file:
        for name in ("a", "b"):
            book.sheet(name).add([f"{name} {number} " + "x" * 60 for number in range(65_536)], 1)
        book.save(file)
    assert path.stat().st_size > 13 * 2**20
    assert differences(by_office(path, tmp_path), read(path)) == []
