"""The writer as pyexcel's users call it, compared with pyexcel-xls, the reference."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import xlrd as untyped_xlrd
from hypothesis import given, settings
from hypothesis import strategies as st
from pyexcel_io import get_data, save_data

from exporter.biff8.plugin import BATCH_ROWS, LIBRARY
from exporter.biff8.properties import Properties
from exporter.biff8.records import TooLarge
from exporter.biff8.sheet import SHEET_ROWS
from tests.readers import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

xlrd: Any = untyped_xlrd

REFERENCE = "pyexcel-xls"
FIRST, LAST = map(datetime.fromisoformat, ("1900-03-01", "9999-12-31"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.xls"


def both(path: Path, sheets: dict[str, Any]) -> tuple[Any, Any]:
    """What pyexcel reads of the same sheets, as we and as the reference write them."""
    found = []
    for library in (LIBRARY, REFERENCE):
        save_data(str(path), sheets, library=library)
        found.append(get_data(str(path), library=REFERENCE))
    return found[0], found[1]


def without_empty_end(rows: list[list[Any]]) -> list[list[Any]]:
    """The reference writes cells that are blank, we none: rows of them at the end differ."""
    while rows and not rows[-1]:
        rows.pop()
    return rows


ROWS = [
    ["text", "", None, "设备 \U0001f600"],
    [],
    [1, -2.5, True, False, 2**53, -(2**53), 0],
    [
        date(2026, 1, 2),
        datetime.fromisoformat("2026-01-02 03:04:05"),
        time(3, 4, 5),
        date(1900, 3, 1),
    ],
    ["after", None, "a gap"],
]


def test_a_library_is_chosen_by_name_and_reads_as_the_reference_does(path: Path) -> None:
    ours, theirs = both(path, {"first": ROWS, "设备": [["only"], ["texts", "here"]]})
    assert ours == theirs
    assert ours["first"][3] == ROWS[3]


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.lists(
            st.none()
            | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
            | st.booleans()
            | st.integers(-(2**53), 2**53)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.dates(date(1900, 3, 1), date(2999, 1, 1))
            | st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(microsecond=0)),
            max_size=5,
        ),
        max_size=5,
    )
)
def test_rows_of_any_values_read_as_the_reference_does(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[Any]]
) -> None:
    ours, theirs = both(tmp_path_factory.mktemp("any") / "book.xls", {"s": rows})
    assert without_empty_end(ours["s"]) == without_empty_end(theirs["s"])


def test_where_no_library_is_named_the_reference_writes(path: Path) -> None:
    save_data(str(path), {"s": [["a"]]})
    assert LIBRARY.split("-")[0].encode() not in path.read_bytes()
    save_data(str(path), {"s": [["a"]]}, library=LIBRARY)
    assert LIBRARY.split("-")[0].encode() in path.read_bytes()


def test_a_list_of_rows_is_one_sheet_as_with_the_reference(path: Path) -> None:
    save_data(str(path), [["a"]], library=LIBRARY)
    assert read(path) == {"pyexcel_sheet1": [["a"]]}


def test_a_stream_is_written_to_and_stays_open() -> None:
    file = io.BytesIO()
    save_data(file, {"s": [["a"]]}, file_type="xls", library=LIBRARY)
    with xlrd.open_workbook(file_contents=file.getvalue()) as book:
        assert book.sheet_by_index(0).row_values(0) == ["a"]


@pytest.mark.parametrize("count", [0, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, SHEET_ROWS])
def test_rows_may_come_one_by_one_and_be_of_any_width(path: Path, count: int) -> None:
    rows = (["a", f"{number}"][: 1 + number % 2] for number in range(count))
    save_data(str(path), {"s": rows}, library=LIBRARY)
    expected = [["a", f"{number}" if number % 2 else ""] for number in range(count)]
    assert read(path)["s"] == expected


def test_the_first_row_is_a_header_where_that_is_said(path: Path) -> None:
    about = {"title": "设备", "created": datetime(2026, 1, 2, tzinfo=UTC)}
    sheets = {"full": [["a", "b"], ["c", 1]], "bare": [["a"]], "empty": []}
    save_data(str(path), sheets, library=LIBRARY, header=True, **about)
    with xlrd.open_workbook(str(path), formatting_info=True) as book:
        assert [sheet.panes_are_frozen for sheet in book.sheets()] == [1, 1, 0]
        assert [sheet.nrows for sheet in book.sheets()] == [2, 1, 0]
        bold = [
            book.font_list[book.xf_list[book.sheet_by_index(0).cell_xf_index(row, 0)].font_index]
            for row in (0, 1)
        ]
        assert [font.bold for font in bold] == [1, 0]
    assert Properties(program="export-tasks", **about).packed() in path.read_bytes()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("\ud800", "surrogates"),
        ("a" * 32_768, "UTF-16 units"),
        (2**53 + 1, "write it as text"),
        (-(2**53) - 1, "write it as text"),
        (float("nan"), "a cell holds no nan"),
        (float("inf"), "a cell holds no inf"),
        (date(1900, 2, 28), "before 1900-03-01"),
        (datetime(2026, 1, 2, tzinfo=UTC), "time zone"),
    ],
)
def test_what_a_cell_does_not_hold_is_refused_and_there_is_no_file(
    path: Path, value: Any, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        save_data(str(path), {"s": [["a"], [value, 1]]}, library=LIBRARY)
    assert not path.exists()


def test_where_the_rows_fail_there_is_no_file(path: Path) -> None:
    def rows() -> Iterator[list[str]]:
        yield ["a"]
        raise ConnectionResetError("the source went away")

    with pytest.raises(ConnectionResetError):
        save_data(str(path), {"s": rows()}, library=LIBRARY)
    assert not path.exists()


@pytest.mark.parametrize("value", [timedelta(1), b"bytes", ["list"], object()])
def test_a_value_of_another_type_is_refused(path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match="a cell cannot be written from"):
        save_data(str(path), {"s": [[value]]}, library=LIBRARY)
    assert not path.exists()


@pytest.mark.parametrize("value", ["a", 1])
def test_a_row_more_than_the_format_has_is_refused(path: Path, value: Any) -> None:
    with pytest.raises(TooLarge, match="more than 65,536 rows"):
        save_data(str(path), {"s": [[value]] * (SHEET_ROWS + 1)}, library=LIBRARY)
    assert not path.exists()


@pytest.mark.parametrize("value", ["a", 1])
def test_a_column_more_than_the_format_has_is_refused(path: Path, value: Any) -> None:
    with pytest.raises(TooLarge, match="more than 256 columns"):
        save_data(str(path), {"s": [[value] * 257]}, library=LIBRARY)


def test_a_file_of_texts_is_no_larger_than_the_references(path: Path) -> None:
    rows = [[f"device {n}", "Success", f"output {n}", f"{n % 50}", "x" * 40] for n in range(70_000)]
    sheets = {"a": rows[:65_000], "b": rows[65_000:]}
    sizes = []
    for library in (LIBRARY, REFERENCE):
        save_data(str(path), sheets, library=library)
        sizes.append(path.stat().st_size)
    assert sizes[0] <= sizes[1]
