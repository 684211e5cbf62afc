"""Rows of texts as records, many at once: as tables of 16-bit numbers that are filled by column."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from itertools import compress
from typing import TYPE_CHECKING

from exporter.biff8.records import little

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GROUP_ROWS = 32
"""Rows whose ROW records stand together, with their cells after them."""

ROW_HEIGHT = 300
"""In twentieths of a point: a line of any script fits, and of any font standing in."""

# ROW: kind, size; row, first column, column after the last, height, two unused, options, style.
_ROW = array("H", [0x0208, 16, 0, 0, 0, ROW_HEIGHT, 0, 0, 0x0100, 0x000F])

# LABELSST: kind, size; row, column, style, the text's number in two halves.
_CELL = array("H", [0x00FD, 10, 0, 0, 0, 0, 0])

_LOW, _HIGH = (0, 1) if sys.byteorder == "little" else (1, 0)


def packed_rows(
    first: int, width: int, cells: Sequence[str | None], numbers: Sequence[int], style: int
) -> Iterator[bytes]:
    """The records of whole rows of `width` cells each, the row `first` and those after it.

    `numbers` are those of the texts of the cells that are not empty; empty ones are left out.
    """
    after = first + len(cells) // width
    rows = array("H", range(first, after))
    places, columns = _grid(rows, width)
    if len(numbers) < len(cells):
        places = array("H", compress(places, cells))
        columns = array("H", compress(columns, cells))
    heads = _heads(rows, width)
    table = _table(places, columns, numbers, style)
    filled = 0
    for start, end in _groups(first, after):
        yield heads[len(_ROW) * (start - first) : len(_ROW) * (end - first)].tobytes()
        until = bisect_left(places, end, filled)
        yield table[len(_CELL) * filled : len(_CELL) * until].tobytes()
        filled = until


def _groups(first: int, after: int) -> Iterator[tuple[int, int]]:
    """The rows cut where a group of the sheet ends."""
    while first < after:
        end = min(after, first + GROUP_ROWS - first % GROUP_ROWS)
        yield first, end
        first = end


def _grid(rows: array[int], width: int) -> tuple[array[int], array[int]]:
    """Row and column of every cell, the rows one after the other."""
    places = array("H", [0]) * (len(rows) * width)
    for column in range(width):
        places[column::width] = rows
    return places, array("H", range(width)) * len(rows)


def _heads(rows: array[int], width: int) -> array[int]:
    table = _ROW * len(rows)
    table[2 :: len(_ROW)] = rows
    table[4 :: len(_ROW)] = array("H", [width]) * len(rows)
    return little(table)


def _table(
    places: array[int], columns: array[int], numbers: Sequence[int], style: int
) -> array[int]:
    halves = array("H", array("I", numbers).tobytes())
    table = _CELL * len(numbers)
    table[2 :: len(_CELL)] = places
    table[3 :: len(_CELL)] = columns
    table[4 :: len(_CELL)] = array("H", [style]) * len(numbers)
    table[5 :: len(_CELL)] = halves[_LOW::2]
    table[6 :: len(_CELL)] = halves[_HIGH::2]
    return little(table)
