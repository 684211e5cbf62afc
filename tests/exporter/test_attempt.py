"""What one attempt says of how far it is, and what it knows of what it read."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from domain.commands import Progress
from exporter.attempt import _progress, _Reading


@pytest.mark.parametrize(
    ("rows", "total", "progress"),
    [
        (0, 0, Progress(0, 0, 1)),
        (5, 0, Progress(5, 5, 1)),
        (1, 1000, Progress(1, 1000, 1)),
        (100, 1000, Progress(100, 1000, 9)),
        (1000, 1000, Progress(1000, 1000, 90)),
        (30, 10, Progress(30, 30, 90)),
    ],
)
def test_reading_is_one_to_ninety_percent_of_rows_that_may_be_more_by_now(
    rows: int, total: int, progress: Progress
) -> None:
    assert _progress(rows, total) == progress


def test_what_was_read_does_not_change_any_more() -> None:
    reading = _Reading.__new__(_Reading)
    with pytest.raises(FrozenInstanceError):
        reading.expected = 1  # type: ignore[misc]
    assert not hasattr(reading, "__dict__")
