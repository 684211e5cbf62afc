"""What one attempt says of how far it is, and what it knows of what it read."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from domain.commands import Progress
from exporter.attempt import BATCH_NAME_LENGTH, _progress, _Reading, name_of
from exporter.sources import BatchTask


def batch(total: int = 0, name: str = "Firmware 2.2.0") -> BatchTask:
    created = "2026-11-24T12:00:00Z"
    return BatchTask("aa", "plant-1", None, name, "firmwareUpgrade", "Success", created, total)


@pytest.mark.parametrize(
    ("rows", "total", "progress"),
    [
        (0, 0, (0, 0, 1)),
        (5, 0, (5, 5, 1)),
        (1, 1000, (1, 1000, 1)),
        (100, 1000, (100, 1000, 9)),
        (1000, 1000, (1000, 1000, 90)),
        (30, 10, (30, 30, 90)),
    ],
)
def test_reading_is_one_to_ninety_percent_of_rows_that_may_be_more_by_now(
    rows: int, total: int, progress: tuple[int, int, int]
) -> None:
    assert _progress(rows, batch(total)) == Progress(*progress, "Firmware 2.2.0")


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("", None),
        (" \n", None),
        ("Firmware 2.2.0", "Firmware 2.2.0"),
        ("two\r\nlines\tof one", "two lines of one"),
        ("a\0b\ud800c", "a\ufffdb\ufffdc"),
        ("é" * BATCH_NAME_LENGTH, "é" * BATCH_NAME_LENGTH),
        ("é" * (BATCH_NAME_LENGTH + 1), "é" * BATCH_NAME_LENGTH),
    ],
)
def test_a_batch_tasks_name_is_one_line_that_can_be_stored(told: str, name: str | None) -> None:
    assert name_of(batch(name=told)) == name


def test_what_was_read_does_not_change_any_more() -> None:
    reading = _Reading.__new__(_Reading)
    with pytest.raises(FrozenInstanceError):
        reading.expected = 1  # type: ignore[misc]
    assert not hasattr(reading, "__dict__")
