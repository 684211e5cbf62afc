"""A document's properties, read as the format says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from struct import unpack_from
from typing import Any

import pytest

from exporter.biff8.properties import Properties

SUMMARY_INFORMATION = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")


def found(data: bytes) -> dict[int, Any]:
    """The values of the one section, by their numbers."""
    order, _, _, _, sections, kind, start = unpack_from("<HHHH16xI16sI", data)
    assert (order, sections, kind) == (0xFFFE, 1, SUMMARY_INFORMATION)
    size, count = unpack_from("<II", data, start)
    assert len(data) == start + size
    return {
        number: value_at(data, start + place)
        for number, place in (unpack_from("<II", data, start + 8 + 8 * n) for n in range(count))
    }


def value_at(data: bytes, place: int) -> Any:
    (kind,) = unpack_from("<I", data, place)
    match kind:
        case 2:
            return unpack_from("<H", data, place + 4)[0]
        case 30:
            (length,) = unpack_from("<I", data, place + 4)
            assert length % 4 == 0
            return data[place + 8 : place + 8 + length].rstrip(b"\0").decode()
        case 64:
            (ticks,) = unpack_from("<Q", data, place + 4)
            return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    raise ValueError(kind)


@pytest.mark.parametrize("title", ["a", "abc", "Export 设备 \U0001f600"])
def test_a_title_a_program_and_a_time_are_found(title: str) -> None:
    moment = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    assert found(Properties(title, "export-tasks", moment).packed()) == {
        1: 65_001,
        2: title,
        12: moment,
        13: moment,
        18: "export-tasks",
    }


def test_what_is_not_given_is_left_out() -> None:
    assert found(Properties().packed()) == {1: 65_001}
