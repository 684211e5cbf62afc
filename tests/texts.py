"""Texts and rows of them, as hypothesis makes them up, and workbooks of such rows."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from exporter.biff8.book import Book

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EMOJI = "\U0001f600"

Rows = list[list[str | None]]

LENGTHS = st.sampled_from([0, 1, 2, 1_023, 1_024, *range(8_210, 8_232), *range(32_766, 32_768)])
BYTE_ORDER_MARKS = "\ufeff\ufffe"
"""Calamine takes them from the front of a text, whoever wrote it."""

PLANES = st.characters(exclude_categories=["Cs"], exclude_characters=BYTE_ORDER_MARKS)

TEXTS = st.one_of(
    st.none(),
    st.text(PLANES),
    st.text(st.sampled_from(["\0", "\x1f", "a", "\xff", "Ā", "设", EMOJI, "\uffff", "\r", "\n"])),
    st.builds(lambda text, length: text * length, st.sampled_from("a\xff设\x07"), LENGTHS),
    st.builds(lambda pairs, more: EMOJI * pairs + more, st.integers(4_100, 4_120), st.text(PLANES)),
)


@st.composite
def rows_of_texts(draw: st.DrawFn, *, most: int = 6) -> Rows:
    """Rows of equal widths."""
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(TEXTS, min_size=width, max_size=width), max_size=most))


def saved(path: Path, sheets: dict[str, Rows], *, header: Sequence[str] = ()) -> Path:
    """A workbook whose sheets have rows of equal widths."""
    with Book(spools=path.parent) as book, path.open("wb") as file:
        for name, rows in sheets.items():
            sheet = book.sheet(name, header)
            if rows:
                sheet.add(list(chain.from_iterable(rows)), len(rows[0]))
        book.save(file)
    return path
