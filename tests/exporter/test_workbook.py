"""Workbooks as two independent readers, xlrd and calamine, find them."""

from __future__ import annotations

import resource
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import xlrd as untyped_xlrd
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.biff8.properties import Properties
from exporter.biff8.records import RECORD_BYTES, TooLarge
from exporter.cells import CELL_UNITS, CUT_MARK, Kind
from exporter.disk import ResultsFailed, hash_file
from exporter.workbook import (
    BATCH_ROWS,
    FIRST_ROWS,
    REPAIRS_LISTED,
    SHEET_ROWS,
    Workbook,
    Written,
    pack,
)
from tests.readers import read, stream_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

xlrd: Any = untyped_xlrd

HEADER = ("target", "output")
EMOJI = "\U0001f600"


def written(
    path: Path,
    rows: Iterable[Sequence[str | None]],
    *,
    header: Sequence[str] = HEADER,
    summary: Sequence[tuple[str, str]] = (),
    **limits: Any,
) -> Written:
    path.unlink(missing_ok=True)
    book = Workbook(path, header, **limits)
    try:
        book.write(rows)
        return book.close(summary)
    finally:
        book.abandon()


def details(path: Path) -> list[list[str]]:
    return read(path)["details"][1:]


def summary(path: Path) -> list[tuple[str, ...]]:
    return [tuple(pair) for pair in read(path)["summary"]]


def repairs(path: Path) -> dict[Kind, int]:
    """What the summary counts of each kind that occurs."""
    told = dict(summary(path)[1:])
    counts = {kind: int(told[f"cells_repaired_{kind}"]) for kind in Kind}
    return {kind: count for kind, count in counts.items() if count}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.xls"


# What a workbook holds


def test_rows_come_back_as_they_were_written(path: Path) -> None:
    assert written(path, [("d1", "ok"), ("d2", "设备 ÿ")]) == Written(2, 1, 0, *hash_file(path))
    assert read(path)["details"] == [["target", "output"], ["d1", "ok"], ["d2", "设备 ÿ"]]


def test_none_and_the_empty_text_are_empty_cells(path: Path) -> None:
    written(path, [(None, "a"), ("b", None), ("", "c"), (None, None), ("d", "")])
    assert details(path) == [["", "a"], ["b", ""], ["", "c"], ["", ""], ["d", ""]]


def test_a_workbook_without_rows_has_the_header_alone(path: Path) -> None:
    assert written(path, []) == Written(0, 1, 0, *hash_file(path))
    assert read(path)["details"] == [["target", "output"]]
    assert list(read(path)) == ["details", "summary"]


def test_whatever_looks_like_a_formula_a_number_or_a_date_is_text(path: Path) -> None:
    texts = ["=1+1", "+1", "-5", "@SUM(A1)", "007", "1e5", "568883383628111872", "TRUE", "#N/A"]
    texts += ["2026-11-24T10:00:00.000Z", '=HYPERLINK("x")', "\t=1", " ", "\n", "a\r\nb"]
    written(path, [(text, text) for text in texts])
    assert details(path) == [[text, text] for text in texts]


def test_the_summary_comes_last_with_the_callers_pairs_in_order(path: Path) -> None:
    written(path, [], summary=[("task_id", "ab12"), ("data_as_of", "2026-11-24T10:00:00Z")])
    assert summary(path) == [
        ("key", "value"),
        ("task_id", "ab12"),
        ("data_as_of", "2026-11-24T10:00:00Z"),
        ("cells_repaired", "0"),
        ("cells_repaired_control", "0"),
        ("cells_repaired_surrogate", "0"),
        ("cells_repaired_noncharacter", "0"),
        ("cells_repaired_cut", "0"),
        ("repairs_listed", "0 of 0"),
    ]


def test_the_header_is_bold_and_stays_in_sight(path: Path) -> None:
    written(path, [("a", "b")])
    with xlrd.open_workbook(str(path), formatting_info=True) as book:
        sheet = book.sheet_by_name("details")
        bold = [
            book.font_list[book.xf_list[sheet.cell_xf_index(row, 0)].font_index].bold
            for row in (0, 1)
        ]
        assert bold == [1, 0]
        assert (sheet.panes_are_frozen, sheet.horz_split_pos, sheet.vert_split_pos) == (1, 1, 0)


def test_columns_fit_what_stands_in_them(path: Path) -> None:
    written(path, [("d" * 24, "x" * 500)], summary=[("task_progress.fail_wait_retry", "0")])
    with xlrd.open_workbook(path, formatting_info=True) as book:
        widths = {n: book.sheet_by_name(n).colinfo_map for n in ("details", "summary")}
    assert [widths["details"][column].width // 256 for column in (0, 1)] == [26, 60]
    assert [widths["summary"][column].width // 256 for column in (0, 1)] == [31, 10]


def taken_ahead(path: Path, text: str, count: int) -> int:
    """The most rows that were taken from the source and not packed, after the first few."""
    book = Workbook(path, HEADER)
    packed = []

    def rows() -> Iterator[tuple[str, str]]:
        for number in range(count):
            packed.append(number - book.rows)
            yield f"{number}", f"{number}{text}"

    book.write(rows())
    book.abandon()
    return max(packed) + 1


def test_rows_are_held_by_the_thousand_and_long_ones_by_the_few(path: Path) -> None:
    assert taken_ahead(path, "a", 5_000) == BATCH_ROWS
    assert taken_ahead(path, "a", FIRST_ROWS) == FIRST_ROWS
    assert taken_ahead(path, "设" * 16_000, 500) == FIRST_ROWS


def test_equal_rows_give_equal_bytes_however_they_are_paged(path: Path, tmp_path: Path) -> None:
    rows = [(f"d{n % 900}", "设ü"[n % 2] * (n % 40)) for n in range(70_000)]
    written(path, rows)
    paged = Workbook(tmp_path / "paged.xls", HEADER)
    for start in range(0, len(rows), 50):
        paged.write(rows[start : start + 50])
    paged.close([])
    assert path.read_bytes() == (tmp_path / "paged.xls").read_bytes()


def test_a_row_of_another_width_than_the_header_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="3 cells in a row of 2"):
        written(path, [("a", "b", "c")])


def test_equal_rows_give_equal_bytes(path: Path, tmp_path: Path) -> None:
    rows = [(f"d{n}", EMOJI * n) for n in range(2 * BATCH_ROWS)]
    written(path, rows, summary=[("a", "b")])
    written(tmp_path / "again.xls", rows, summary=[("a", "b")])
    assert path.read_bytes() == (tmp_path / "again.xls").read_bytes()


# The limits of the format


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (SHEET_ROWS, [SHEET_ROWS]),
        (SHEET_ROWS + 1, [SHEET_ROWS, 1]),
        (2 * SHEET_ROWS + 1, [SHEET_ROWS, SHEET_ROWS, 1]),
    ],
)
def test_a_full_sheet_is_followed_by_another(path: Path, count: int, sizes: list[int]) -> None:
    result = written(path, ((f"d{n}",) for n in range(count)), header=["target"])
    assert (result.rows, result.sheets) == (count, len(sizes))
    sheets = read(path)
    sheets.pop("summary")
    assert list(sheets) == ["details", "details (2)", "details (3)"][: len(sizes)]
    assert [len(rows) - 1 for rows in sheets.values()] == sizes
    assert all(rows[0] == ["target"] for rows in sheets.values())
    texts = [row[0] for rows in sheets.values() for row in rows[1:]]
    assert texts == [f"d{n}" for n in range(count)]


def test_as_many_sheets_as_allowed_may_be_full_and_no_row_more(path: Path) -> None:
    rows = [("d",)] * SHEET_ROWS
    assert written(path, rows, header=["target"], max_sheets=1).sheets == 1
    with pytest.raises(TooLarge, match="more than 65,535 rows"):
        written(path, [*rows, ("d",)], header=["target"], max_sheets=1)


def test_as_many_bytes_as_allowed_may_be_used_and_not_one_more(path: Path) -> None:
    rows = [("a" * 30, "b" * 30)] * 200
    written(path, rows)
    size = stream_bytes(path)
    written(path, rows, max_bytes=size)
    with pytest.raises(TooLarge, match=f"more than {size - 1:,} bytes"):
        written(path, rows, max_bytes=size - 1)
    assert not path.exists()


def test_rows_stop_where_the_bytes_are_used_up(path: Path) -> None:
    book = Workbook(path, HEADER, max_bytes=10_000)
    with pytest.raises(TooLarge, match="more than 10,000 bytes"):
        book.write([("a", "b")] * 2 * BATCH_ROWS)
    book.abandon()


# Repairs


def test_a_text_of_as_many_units_as_a_cell_holds_is_left_alone(path: Path) -> None:
    texts = ["a" * CELL_UNITS, EMOJI * (CELL_UNITS // 2) + "a", "设" * CELL_UNITS]
    assert written(path, [(text, None) for text in texts]).repaired == 0
    assert details(path) == [[text, ""] for text in texts]


def test_a_longer_text_is_cut_to_that_length_and_marked(path: Path) -> None:
    kept = CELL_UNITS - len(CUT_MARK)
    texts = ["a" * (CELL_UNITS + 1), "设" * 100_000, "a" + EMOJI * (CELL_UNITS // 2 + 1)]
    assert written(path, [(text, None) for text in texts]).repaired == 3
    assert repairs(path) == {Kind.CUT: 3}
    assert details(path) == [
        ["a" * kept + CUT_MARK, ""],
        ["设" * kept + CUT_MARK, ""],
        ["a" + EMOJI * (kept // 2) + CUT_MARK, ""],
    ]


def test_a_text_is_never_cut_inside_a_surrogate_pair(path: Path) -> None:
    written(path, [(EMOJI * (CELL_UNITS // 2 + 1), None)])
    kept = (CELL_UNITS - len(CUT_MARK)) // 2
    assert details(path) == [[EMOJI * kept + CUT_MARK, ""]]


def test_characters_that_a_cell_cannot_hold_are_replaced(path: Path) -> None:
    controls = {chr(number) for number in range(32)} - set("\t\n\r")
    rows = [(f"x{bad}y", None) for bad in sorted(controls)]
    rows += [("x\ud800y", None), ("x\udfffy", None), ("x\ufffey", None), ("x\uffffy", None)]
    result = written(path, rows)
    assert repairs(path) == {Kind.CONTROL: 29, Kind.SURROGATE: 2, Kind.NONCHARACTER: 2}
    assert result.repaired == 33
    assert details(path) == [["x\ufffdy", ""]] * 33


def test_neighbours_of_those_characters_are_left_alone(path: Path) -> None:
    text = "\t\n\r\x20\x7f\x80\x9f\ud7ff\ue000\ufdd0\ufffd\U00010000\U0010ffff"
    assert written(path, [(text, "a")]).repaired == 0
    assert details(path) == [[text, "a"]]


def test_a_cell_may_count_for_several_kinds_but_is_one_cell(path: Path) -> None:
    result = written(path, [("a", "\x00\ud800\uffff" + "b" * CELL_UNITS)])
    assert result.repaired == 1
    assert repairs(path) == dict.fromkeys(Kind, 1)


def test_the_summary_names_each_repair_by_sheet_row_and_column(path: Path) -> None:
    rows: list[tuple[str, str]] = [("a", "b")] * SHEET_ROWS + [("c", "d"), ("\ud800", "\x00\uffff")]
    rows[0] = ("\x00", "b")
    written(path, rows, summary=[("task_id", "ab12"), ("task_name", "n\x07")])
    assert summary(path)[2:] == [
        ("task_name", "n\ufffd"),
        ("cells_repaired", "4"),
        ("cells_repaired_control", "3"),
        ("cells_repaired_surrogate", "1"),
        ("cells_repaired_noncharacter", "1"),
        ("cells_repaired_cut", "0"),
        ("repairs_listed", "5 of 5"),
        ("repair", "details, row 2, column target: control"),
        ("repair", "details (2), row 3, column target: surrogate"),
        ("repair", "details (2), row 3, column output: control"),
        ("repair", "details (2), row 3, column output: noncharacter"),
        ("repair", "summary, row 3, column value: control"),
    ]


@pytest.mark.parametrize("more", [0, 1])
def test_the_summary_lists_the_first_thousand_repairs_and_counts_all(path: Path, more: int) -> None:
    count = REPAIRS_LISTED + more
    written(path, [("\x00", None)] * count)
    pairs = summary(path)
    assert ("cells_repaired", str(count)) in pairs
    assert ("repairs_listed", f"{REPAIRS_LISTED} of {count}") in pairs
    listed = [value for key, value in pairs if key == "repair"]
    assert len(listed) == REPAIRS_LISTED
    assert listed[-1] == f"details, row {REPAIRS_LISTED + 1}, column target: control"


# Emoji, and the boundaries of records


def test_a_cell_of_five_thousand_emoji_can_be_read(path: Path) -> None:
    written(path, [(EMOJI * 5_000, None), ("x" + EMOJI * 5_000, "\xff" + EMOJI * 5_000)])
    assert details(path) == [[EMOJI * 5_000, ""], ["x" + EMOJI * 5_000, "\xff" + EMOJI * 5_000]]


def test_emoji_at_every_place_around_the_end_of_a_record_can_be_read(path: Path) -> None:
    around = range(RECORD_BYTES // 2 - 12, RECORD_BYTES // 2 + 12)
    rows = [("设" * before + EMOJI, "x" * before + EMOJI * 3 + "设" * 9_000) for before in around]
    written(path, rows)
    assert details(path) == [list(row) for row in rows]


@pytest.mark.parametrize("length", range(RECORD_BYTES - 20, RECORD_BYTES + 8))
def test_a_text_may_fill_a_record_to_any_byte(path: Path, length: int) -> None:
    rows = [("a" * length, EMOJI), (EMOJI * 2, "b" * length), ("c" * length, "设备")]
    written(path, rows)
    assert details(path) == [list(row) for row in rows]


def test_many_short_texts_with_emoji_at_odd_offsets_can_be_read(path: Path) -> None:
    rows = [("x" * (n % 7) + str(n), f"{n}" + EMOJI * (n % 5)) for n in range(3_000)]
    written(path, rows)
    assert details(path) == [list(row) for row in rows]


ANY_TEXT = st.one_of(
    st.text(),
    st.text(alphabet=st.sampled_from(["a", "\xff", "设", EMOJI, "\ud83d", "\x0b", "\uffff", "\n"])),
    st.builds(
        lambda before, text, times: before + text * times,
        st.text(max_size=5),
        st.sampled_from(["a", "ÿ", "设", EMOJI, EMOJI + "a"]),
        st.integers(0, 34_000),
    ),
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(ANY_TEXT, st.none() | ANY_TEXT), max_size=8))
def test_any_text_comes_back_mended_and_the_same_from_both_readers(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str | None]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "book.xls"
    named = [(f"row {number}", *row) for number, row in enumerate(rows)]
    result = written(path, named, header=["target", *HEADER])
    found = details(path)
    assert [row[0] for row in found] == [row[0] for row in named]
    pairs = [
        (before or "", after)
        for row, back in zip(named, found, strict=True)
        for before, after in zip(row, back, strict=True)
    ]
    assert result.repaired == sum(before != after for before, after in pairs)
    assert all(len(after.encode("utf-16-le")) <= 2 * CELL_UNITS for _, after in pairs)
    assert all(after.endswith(CUT_MARK) for before, after in pairs if len(after) < len(before))


# The file


def test_the_documents_title_and_time_are_the_callers(path: Path) -> None:
    about = Properties(title="Export 设", created=datetime(2026, 11, 24, 10, tzinfo=UTC))
    book = Workbook(path, HEADER)
    book.close([], about)
    assert about.packed() in path.read_bytes()


def test_nobody_else_may_read_the_file(path: Path) -> None:
    written(path, [])
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_abandoned_workbook_leaves_nothing(path: Path) -> None:
    book = Workbook(path, HEADER)
    book.write([("a", "b")])
    book.abandon()
    assert list(path.parent.iterdir()) == []


def test_a_closed_workbook_is_not_abandoned_any_more(path: Path) -> None:
    book = Workbook(path, HEADER)
    book.close([])
    book.abandon()
    assert list(path.parent.iterdir()) == [path]


def test_an_error_of_the_source_passes_through(path: Path) -> None:
    def rows() -> Iterator[tuple[str, str]]:
        yield "a", "b"
        raise ConnectionResetError("the source went away")

    with pytest.raises(ConnectionResetError, match="the source went away"):
        written(path, rows())
    assert not path.exists()


def test_a_workbook_is_never_written_over_another_file(path: Path) -> None:
    path.write_bytes(b"another's")
    with pytest.raises(ResultsFailed):
        Workbook(path, HEADER)
    assert path.read_bytes() == b"another's"


def test_a_folder_that_is_none_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsFailed, match=r"^the place of the results is not a folder$"):
        Workbook(tmp_path / "file" / "book.xls", HEADER)


@pytest.mark.parametrize("rows", [10, 2 * BATCH_ROWS])
def test_a_disk_that_takes_no_more_is_said_in_words(path: Path, rows: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    try:
        with pytest.raises(ResultsFailed, match="larger than the disk takes") as failed:
            written(path, ((f"d{n}", "x" * 500) for n in range(rows)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not failed.value.passing
    assert list(path.parent.iterdir()) == []


# The zip


def test_a_packed_workbook_is_the_one_entry_of_a_private_zip_beside_it(path: Path) -> None:
    written(path, [("a", "b")])
    packed = pack(path, "export.xls")
    assert packed == path.with_suffix(".zip")
    assert packed.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["export.xls"]
        assert archive.read("export.xls") == path.read_bytes()
        assert archive.infolist()[0].compress_size < path.stat().st_size


def test_equal_workbooks_pack_into_equal_bytes(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "book.xls"
    written(path, [("a", "b")])
    written(other, [("a", "b")])
    assert pack(path, "x.xls").read_bytes() == pack(other, "x.xls").read_bytes()


def test_a_zip_is_never_written_over_another_file(path: Path) -> None:
    written(path, [])
    pack(path, "x.xls")
    with pytest.raises(ResultsFailed):
        pack(path, "x.xls")
