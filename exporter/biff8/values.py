"""Cells that are no texts: numbers, truths, dates and times, as pyexcel's users write them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from exporter.biff8.records import record
from exporter.biff8.rows import ROW_HEIGHT
from exporter.biff8.styles import DATE, MOMENT, PLAIN, TIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.biff8.strings import SharedStrings

Value: TypeAlias = "str | bool | int | float | date | datetime | time | None"
"""What a cell can be written from; None and "" are an empty one."""

EXACT = 2**53
"""Whole numbers up to here are exact in a cell, which holds a double."""

_ROW, _LABELSST, _NUMBER, _BOOLERR = 0x0208, 0x00FD, 0x0203, 0x0205
_EPOCH, _FIRST_DAY = datetime(1899, 12, 30), datetime(1900, 3, 1)  # noqa: DTZ001 (cells have no zone)
_DAY = timedelta(days=1)


def packed_values(
    first: int, rows: Sequence[Sequence[Value]], strings: SharedStrings
) -> Iterator[bytes]:
    """The records of rows of any values, the row `first` and those after it.

    ValueError for a value that a cell would not hold exactly, TypeError for one of another type.
    """
    for place, row in enumerate(rows, first):
        yield record(_ROW, "8H", place, 0, len(row), ROW_HEIGHT, 0, 0, 0x0100, PLAIN)
        for column, value in enumerate(row):
            if value is not None and value != "":
                yield _cell(place, column, value, strings)


def _cell(row: int, column: int, value: Value, strings: SharedStrings) -> bytes:
    match value:
        case str():
            (number,) = strings.numbers([value])
            return record(_LABELSST, "3HI", row, column, PLAIN, number)
        case bool():
            return record(_BOOLERR, "3HBB", row, column, PLAIN, value, 0)
        case _:
            style, amount = _amount(value)
            return record(_NUMBER, "3Hd", row, column, style, amount)


def _amount(value: Value) -> tuple[int, float]:
    """How a cell shows the value, and the number that stands for it: days for times."""
    match value:
        case int() | float():
            return PLAIN, _exact(value)
        case datetime():
            return MOMENT, _days(value)
        case date():
            return DATE, _days(datetime(value.year, value.month, value.day))  # noqa: DTZ001 (the same)
        case time():
            return TIME, (datetime.combine(_EPOCH, value, None) - _EPOCH) / _DAY
    raise TypeError(f"a cell cannot be written from {type(value).__name__}")


def _exact(number: float) -> float:
    if isinstance(number, int) and abs(number) > EXACT:
        raise ValueError(f"{number} is no number that a cell holds exactly: write it as text")
    if not isfinite(number):
        raise ValueError(f"a cell holds no {number}")
    return number


def _days(moment: datetime) -> float:
    if moment.tzinfo:
        raise ValueError(f"{moment} has a time zone, which a cell has not: write it as text")
    if moment < _FIRST_DAY:
        raise ValueError(f"{moment} is before {_FIRST_DAY:%Y-%m-%d}, where dates of cells begin")
    return (moment - _EPOCH) / _DAY
