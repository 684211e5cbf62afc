"""A million details: sixteen sheets that two independent readers read alike. `-m long` runs it."""

from __future__ import annotations

import io
from itertools import chain, zip_longest

import pytest
import xlrd
from python_calamine import CalamineWorkbook

from exporter.sources import DETAIL_COLUMNS

ROWS = 1_000_000
SHEET_ROWS = 65_535


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_million_details_are_read_alike_by_two_readers(shop):
    batch = shop.batch(ROWS)
    task = shop.create(batch)
    assert shop.exporter().step()
    file = shop.now(task).file
    assert (file.rows, file.sheets) == (ROWS, 16)
    content = shop.stored(file.key)
    calamine = CalamineWorkbook.from_filelike(io.BytesIO(content))
    details = [name for name in calamine.sheet_names if name.startswith("details")]
    assert len(details) == 16
    source = chain.from_iterable(shop.source.pages(batch))
    seen = 0
    with xlrd.open_workbook(file_contents=content, on_demand=True) as book:
        for name in details:
            theirs = book.sheet_by_name(name)
            ours = calamine.get_sheet_by_name(name).to_python(skip_empty_area=False)
            assert theirs.row_values(0) == ours[0] == list(DETAIL_COLUMNS)
            assert theirs.nrows - 1 <= SHEET_ROWS
            for number in range(1, theirs.nrows):
                row = [str(cell) for cell in theirs.row_values(number)]
                assert row == ours[number]
                expected = [cell or "" for cell in next(source)]
                assert all(a == b for a, b in zip_longest(row, expected, fillvalue=""))
            seen += theirs.nrows - 1
            book.unload_sheet(name)
    assert seen == ROWS
    assert next(source, None) is None
