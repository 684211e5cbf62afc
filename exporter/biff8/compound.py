"""A compound file (OLE2): streams in sectors of 512 bytes, and the tables that find them."""

from __future__ import annotations

from array import array
from itertools import accumulate
from struct import pack
from typing import TYPE_CHECKING, NamedTuple, Protocol

from exporter.biff8.records import little

if TYPE_CHECKING:
    from collections.abc import Iterable

SECTOR_BYTES, MINI_BYTES = 512, 64

SMALL_BYTES = 4_096
"""A stream of fewer bytes stands in sectors of 64 bytes, within a stream that the root has."""

HEADER_TABLES = 109
"""Sectors of the allocation table that the header lists; further ones have sectors of their own."""

_PER_SECTOR = SECTOR_BYTES // 4
_FREE, _END, _TABLE, _LIST = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
_NONE = 0xFFFFFFFF
_RED, _BLACK = 0, 1
_STREAM, _ROOT = 2, 5

_WORKBOOK_CLASS = bytes.fromhex("2008020000000000c000000000000046")
"""Which program the file is for: Excel 97 and later."""


class Stream(NamedTuple):
    """A stream to be written: its name, its bytes in pieces, and how many they are in all."""

    name: str
    size: int
    pieces: Iterable[bytes]


class Small(NamedTuple):
    """A stream of fewer than `SMALL_BYTES`, whose name is longer than the other's."""

    name: str = ""
    data: bytes = b""


class _Layout(NamedTuple):
    """Sectors of each part of the file, in their order."""

    main: int
    mini: int
    mini_tables: int
    directory: int
    tables: int
    lists: int

    def starts(self) -> _Layout:
        """The sector where each part begins."""
        return _Layout._make(accumulate(self[:-1], initial=0))


class Sink(Protocol):
    """Where the file goes, from its first byte to its last."""

    def write(self, data: bytes | array[int], /) -> object:
        """Takes the next bytes."""

    def writelines(self, pieces: Iterable[bytes], /) -> None:
        """Takes the next ones, in their order."""


def write(file: Sink, main: Stream, small: Small = Small()) -> None:  # noqa: B008 (a constant)
    """Writes the file from its first byte to its last; a main stream too short is padded."""
    main_size = max(main.size, SMALL_BYTES)
    layout = _layout(main_size, len(small.data))
    file.write(_header(layout))
    file.writelines(main.pieces)
    file.write(bytes(SECTOR_BYTES * layout.main - main.size))
    file.write(small.data.ljust(SECTOR_BYTES * layout.mini, b"\0"))
    file.write(_mini_table(layout, len(small.data)))
    file.write(_directory(layout, (main.name, main_size), small))
    file.write(_table(layout))
    file.write(_lists(layout))


def _layout(main: int, small: int) -> _Layout:
    """The table covers itself and its list too."""
    tables = lists = 0
    while True:
        layout = _Layout(_sectors(main), _sectors(small), int(small > 0), 1, tables, lists)
        if sum(layout) <= _PER_SECTOR * tables:
            return layout
        tables = max(tables + 1, sum(layout) // _PER_SECTOR)
        lists = -(-max(0, tables - HEADER_TABLES) // (_PER_SECTOR - 1))


def _header(layout: _Layout) -> bytes:
    starts = layout.starts()
    listed = [*range(starts.tables, starts.lists)][:HEADER_TABLES]
    return (
        bytes.fromhex("d0cf11e0a1b11ae1")
        + bytes(16)
        + pack("<5H6x", 0x003E, 3, 0xFFFE, 9, 6)  # version, little end first, 512 and 64 bytes
        + pack("<5I", 0, layout.tables, starts.directory, 0, SMALL_BYTES)
        + pack("<2I", starts.mini_tables if layout.mini_tables else _END, layout.mini_tables)
        + pack("<2I", starts.lists if layout.lists else _END, layout.lists)
        + _longs(listed + [_FREE] * (HEADER_TABLES - len(listed)))
    )


def _table(layout: _Layout) -> array[int]:
    """Says of each sector which one follows it in its part, or what else it is."""
    starts = layout.starts()
    table = array("I", range(1, starts.tables + 1))
    for after in (starts.mini, starts.mini_tables, starts.directory, starts.tables):
        table[after - 1] = _END
    table.extend([_TABLE] * layout.tables + [_LIST] * layout.lists)
    table.extend([_FREE] * (-len(table) % _PER_SECTOR))
    return little(table)


def _lists(layout: _Layout) -> bytes:
    """The sectors of the table that the header has no room for."""
    starts, each = layout.starts(), _PER_SECTOR - 1
    further = [*range(starts.tables + HEADER_TABLES, starts.lists)]
    parts = [further[each * number :][:each] for number in range(layout.lists)]
    following = [*range(starts.lists + 1, starts.lists + layout.lists), _END]
    return b"".join(
        _longs([*part, *[_FREE] * (each - len(part)), after])
        for part, after in zip(parts, following, strict=False)
    )


def _mini_table(layout: _Layout, small: int) -> bytes:
    """The same for the small sectors, those of one stream."""
    used = -(-small // MINI_BYTES)
    chain = [*range(1, used), _END] if used else []
    return _longs(chain + [_FREE] * (_PER_SECTOR * layout.mini_tables - len(chain)))


def _directory(layout: _Layout, main: tuple[str, int], small: Small) -> bytes:
    """The root, below it the main stream, to whose right the small one is: one sector."""
    mini = layout.starts().mini if small.data else _END
    mini_size = len(small.data) + -len(small.data) % MINI_BYTES
    right = 2 if small.data else _NONE
    entries = [
        _entry("Root Entry", _ROOT, mini, mini_size, child=1, kind=_WORKBOOK_CLASS),
        _entry(main[0], _STREAM, 0, main[1], right=right),
    ]
    if small.data:
        entries.append(_entry(small.name, _STREAM, 0, len(small.data), colour=_RED))
    unused = bytes(68) + pack("<3I", _NONE, _NONE, _NONE) + bytes(48)
    return b"".join(entries) + unused * (SECTOR_BYTES // len(unused) - len(entries))


def _entry(
    name: str,
    type_: int,
    start: int,
    size: int,
    *,
    colour: int = _BLACK,
    right: int = _NONE,
    child: int = _NONE,
    kind: bytes = bytes(16),
) -> bytes:
    characters = name.encode("utf-16-le") + bytes(2)
    head = pack("<64sHBB", characters, len(characters), type_, colour)
    return head + pack("<3I16s20xIQ", _NONE, right, child, kind, start, size)


def _sectors(size: int) -> int:
    return -(-size // SECTOR_BYTES)


def _longs(values: Iterable[int]) -> bytes:
    return little(array("I", values)).tobytes()
