"""Records: what a BIFF8 stream is made of, a kind, a length and at most 8,224 bytes each."""

from __future__ import annotations

import sys
from struct import pack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from array import array

RECORD_BYTES = 8_224
"""What a record holds at most."""

HEAD_BYTES = 4
"""Kind and length, which stand before it."""

BOOK, SHEET = 0x0005, 0x0010
"""The parts of a stream: what is the workbook's, and a sheet each."""

_BOF, _EOF = 0x0809, 0x000A
_NARROW, _WIDE = 0, 1


class TooLarge(Exception):
    """More than the format holds: rows, columns, sheets, bytes."""


def record(kind: int, layout: str = "", *values: float | bytes) -> bytes:
    """A record of values that are laid out as `struct` says, little end first."""
    data = pack("<" + layout, *values)
    return pack("<HH", kind, len(data)) + data


def text_record(kind: int, layout: str, *values: float, text: str) -> bytes:
    """A record that ends in a short text: its length in one byte, its width, its characters."""
    data, wide = encode(text)
    return record(kind, f"{layout}BB{len(data)}s", *values, len(data) >> wide, wide, data)


def little(table: array[int]) -> array[int]:
    """Numbers as all files of the format hold them: little end first."""
    if sys.byteorder == "big":
        table.byteswap()
    return table


def encode(text: str) -> tuple[bytes, int]:
    """The characters as BIFF8 stores them, and 1 where each takes two bytes, 0 where one.

    A lone surrogate is a UnicodeEncodeError, which is a ValueError.
    """
    try:
        return text.encode("latin-1"), _NARROW
    except UnicodeEncodeError:
        return text.encode("utf-16-le"), _WIDE


def begin(part: int) -> bytes:
    """What begins a part of the stream: BIFF8, as Excel 97 writes it."""
    return record(_BOF, "HHHHII", 0x0600, part, 0x0DBB, 0x07CC, 0x0041, 0x0006)


def end() -> bytes:
    """What ends a part of the stream."""
    return record(_EOF)
