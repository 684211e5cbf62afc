"""The compound file, walked sector by sector, about the sizes where its tables grow."""

from __future__ import annotations

import io
from array import array
from struct import unpack_from
from typing import TYPE_CHECKING, Any

import pytest
import xlrd as untyped_xlrd

from exporter.biff8 import compound
from exporter.biff8.compound import (
    HEADER_TABLES,
    MINI_BYTES,
    SECTOR_BYTES,
    SMALL_BYTES,
    Small,
    Stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

xlrd: Any = untyped_xlrd

END, TABLE, LIST, FREE = 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC, 0xFFFFFFFF
OTHER = b"the other stream"
MEBIBYTE = 2**20


def content(size: int) -> bytes:
    """Bytes of which each sector's begin with the sector's number."""
    sectors = array("I", range(-(-size // SECTOR_BYTES)))
    wide = array("I", bytes(len(sectors) * SECTOR_BYTES))
    wide[:: SECTOR_BYTES // 4] = sectors
    return wide.tobytes()[:size]


def pieces(data: bytes) -> Iterator[bytes]:
    yield from (data[start : start + MEBIBYTE] for start in range(0, len(data), MEBIBYTE))


def written(data: bytes, other: bytes = OTHER) -> bytes:
    file = io.BytesIO()
    compound.write(file, Stream("Workbook", len(data), pieces(data)), Small("Longer name", other))
    return file.getvalue()


def longs(file: bytes, sector: int) -> tuple[int, ...]:
    return unpack_from("<128I", file, (sector + 1) * SECTOR_BYTES)


def tables_of(file: bytes) -> tuple[list[int], list[int], list[int]]:
    """The allocation table, where it stands, and where its list goes on, as the header says."""
    count, next_list, lists = unpack_from("<I24xII", file, 44)[0], *unpack_from("<II", file, 68)
    places, further = list(unpack_from("<109I", file, 76)), []
    for _ in range(lists):
        further.append(next_list)
        *more, next_list = longs(file, next_list)
        places += more
    assert next_list == END
    assert places[count:] == [FREE] * (len(places) - count)
    table = [entry for place in places[:count] for entry in longs(file, place)]
    return table, places[:count], further


def chain_from(table: list[int], start: int) -> list[int]:
    found = []
    while start != END:
        found.append(start)
        start = table[start]
    return found


def joined(data: bytes, size: int, places: list[int]) -> bytes:
    return b"".join(data[size * place : size * (place + 1)] for place in places)


def walked(file: bytes) -> dict[str, bytes]:
    """The streams by name; every sector of the file belongs to one thing, and is marked so."""
    assert len(file) % SECTOR_BYTES == 0
    sectors = file[SECTOR_BYTES:]
    table, tables, lists = tables_of(file)
    first_directory, first_mini = unpack_from("<I8xI", file, 48)
    (directory,), mini_tables = chain_from(table, first_directory), chain_from(table, first_mini)
    mini_table = [entry for place in mini_tables for entry in longs(file, place)]
    used, streams, mini = [directory, *tables, *lists, *mini_tables], {}, b""
    for entry in range(4):
        place = SECTOR_BYTES * directory + 128 * entry
        name, length, kind, start, size = unpack_from("<64sHB49xIQ", sectors, place)
        if kind == 2 and size < SMALL_BYTES:
            found = joined(mini, MINI_BYTES, chain_from(mini_table, start))
        else:
            chain = chain_from(table, start) if kind else []
            assert len(chain) == -(-size // SECTOR_BYTES)
            used += chain
            found = joined(sectors, SECTOR_BYTES, chain)
        mini = found if kind == 5 else mini
        if kind == 2:
            streams[name[: length - 2].decode("utf-16-le")] = found[:size]
    assert sorted(used) == list(range(len(sectors) // SECTOR_BYTES))
    assert {table[place] for place in tables} == {TABLE}
    assert {table[place] for place in lists} <= {LIST}
    assert set(table[len(used) :]) <= {FREE}
    return streams


def sectors_where(grows: str) -> int:
    """The most sectors of the large stream before the table, or its list, needs one more."""
    per_list = SECTOR_BYTES // 4 - 1
    tables = {"no list": HEADER_TABLES, "one list": HEADER_TABLES + per_list}[grows]
    lists = {"no list": 0, "one list": 1}[grows]
    return tables * 128 - tables - lists - 3  # the small stream, its table, the directory


@pytest.mark.parametrize("grows", ["no list", "one list"])
@pytest.mark.parametrize("more", [0, 1])
def test_the_tables_grow_by_a_sector_where_they_must(grows: str, more: int) -> None:
    data = content((sectors_where(grows) + more) * SECTOR_BYTES)
    file = written(data)
    assert walked(file) == {"Workbook": data, "Longer name": OTHER}
    _, tables, lists = tables_of(file)
    sizes = {"no list": (109, 0), "one list": (236, 1)}[grows]
    assert (len(tables), len(lists)) == (sizes[0] + more, sizes[1] + more)


@pytest.mark.parametrize(
    "size",
    [0, 1, 511, 512, 4_095, 4_096, 4_097, 65_000, 7_143_424, int(6.8 * MEBIBYTE), 13 * MEBIBYTE],
)
def test_a_stream_of_any_size_is_found_by_another_reader(size: int) -> None:
    data = content(size)
    file = written(data)
    assert walked(file)["Workbook"] == data.ljust(SMALL_BYTES, b"\0")
    found = xlrd.compdoc.CompDoc(file).get_named_stream("Workbook")
    assert found == data.ljust(SMALL_BYTES, b"\0")


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 511, 512, 513, SMALL_BYTES - 1])
def test_a_small_stream_of_any_size_is_found(size: int) -> None:
    other, data = content(size), content(10_000)
    file = written(data, other)
    assert walked(file) == {"Workbook": data, **({"Longer name": other} if size else {})}
    if size:
        assert xlrd.compdoc.CompDoc(file).get_named_stream("Longer name") == other


@pytest.mark.long
def test_a_stream_of_200_megabytes_is_found_by_another_reader() -> None:
    data = content(200 * 10**6)
    file = written(data)
    assert len(tables_of(file)[2]) == 24
    assert walked(file)["Workbook"] == data
    assert xlrd.compdoc.CompDoc(file).get_named_stream("Workbook") == data


def test_the_directory_says_what_program_the_file_is_for() -> None:
    file = written(b"x")
    table, *_ = tables_of(file)
    (directory,) = chain_from(table, unpack_from("<I", file, 48)[0])
    root = (directory + 1) * SECTOR_BYTES
    assert file[root + 80 : root + 96] == bytes.fromhex("2008020000000000c000000000000046")
