"""Sheets of our own writer: their names, and what a person sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import xlrd as untyped_xlrd

from exporter.biff8.book import Book
from exporter.biff8.names import NAME_UNITS
from exporter.biff8.sheet import NARROWEST, WIDEST
from tests.readers import read
from tests.texts import EMOJI, saved

if TYPE_CHECKING:
    from pathlib import Path

xlrd: Any = untyped_xlrd


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.xls"


# Names of sheets


@pytest.mark.parametrize(
    "name",
    ["s", "设备", "n" * NAME_UNITS, "ü" * NAME_UNITS, EMOJI * 15 + "x", "it's", "a (2)", " "],
)
def test_a_name_may_be_of_any_script_and_31_units_long(path: Path, name: str) -> None:
    assert read(saved(path, {name: [["a"]]})) == {name: [["a"]]}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "at least"),
        ("n" * (NAME_UNITS + 1), "at most 31 UTF-16 units"),
        ("设" * 255, "at most 31 UTF-16 units"),
        (EMOJI * 16, "at most 31 UTF-16 units"),
        ("a/b", "'/' cannot stand in a name"),
        ("[a]", r"'\[\]' cannot stand in a name"),
        ("a\nb", "cannot stand in a name"),
        ("'a", "apostrophe"),
        ("a'", "apostrophe"),
        ("History", "keep that name for themselves"),
        ("TAKEN", "another sheet has that name"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_a_name_that_spreadsheet_programs_do_not_open_is_refused(name: str, why: str) -> None:
    with Book() as book:
        book.sheet("taken")
        with pytest.raises(ValueError, match=why):
            book.sheet(name)


# What a person sees


def test_a_header_is_bold_and_stays_in_sight(path: Path) -> None:
    saved(path, {"first": [["a"]], "second": [["b"]]}, header=["title"])
    with xlrd.open_workbook(str(path), formatting_info=True) as book:
        for sheet in book.sheets():
            formats = [book.xf_list[sheet.cell_xf_index(row, 0)] for row in (0, 1)]
            assert [each._font_flag for each in formats] == [1, 0]
            fonts = [book.font_list[each.font_index] for each in formats]
            assert [(font.bold, font.name) for font in fonts] == [(1, "Arial"), (0, "Arial")]
            assert (sheet.panes_are_frozen, sheet.horz_split_pos, sheet.vert_split_pos) == (1, 1, 0)
            assert sheet.remove_splits_if_pane_freeze_is_removed
        assert [sheet.sheet_selected for sheet in book.sheets()] == [1, 0]


def test_nothing_is_frozen_where_there_is_no_header(path: Path) -> None:
    saved(path, {"s": [["a"]]})
    with xlrd.open_workbook(str(path), formatting_info=True) as book:
        sheet = book.sheet_by_index(0)
        assert (sheet.panes_are_frozen, sheet.has_pane_record) == (0, False)


@pytest.mark.parametrize(
    ("texts", "width"),
    [
        (["a" * (NARROWEST - 2)], NARROWEST),
        (["a" * (NARROWEST - 1)], NARROWEST + 1),
        (["a" * (WIDEST - 3), "b"], WIDEST - 1),
        (["a" * 500], WIDEST),
        (["设" * 12], 26),
        (["two lines\nof which one is longer"], 24),
        ([None] * 99 + ["the hundredth row"], 19),
        ([None] * 100 + ["the row after"], NARROWEST),
    ],
)
def test_a_column_fits_its_first_hundred_rows_within_bounds(
    path: Path, texts: list[str | None], width: int
) -> None:
    saved(path, {"s": [[text] for text in texts]})
    with xlrd.open_workbook(str(path), formatting_info=True) as book:
        assert book.sheet_by_index(0).colinfo_map[0].width == 256 * width
