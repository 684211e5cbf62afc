"""Picture: hours as bars, in the units of an SVG; the template draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from projections.rows import Seen

WIDTH, HEIGHT = 768, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 28
LABELLED_EVERY = 3
"""Hours between two that are named under the picture."""

_STEPS = (2, 4, 6, 8, 10)


class Bar(NamedTuple):
    """A rectangle of one kind; it stands on `y + height`."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class Mark(NamedTuple):
    """A name at a place: of an hour on the axis, or of a number beside it."""

    at: float
    name: str


class Picture(NamedTuple):
    """What is to be drawn: completed and failed tasks stacked, created ones as a line above."""

    bars: list[Bar]
    hours: list[Mark]
    numbers: list[Mark]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    floor: int = HEIGHT - BOTTOM


def draw(seen: list[Seen]) -> Picture:
    """The hours from left to right, to a scale on which the highest fits."""
    top = _round_up(max((max(_ended(hour), hour.created) for hour in seen), default=0))
    room, column = HEIGHT - TOP - BOTTOM, (WIDTH - LEFT - RIGHT) / len(seen)
    bars: list[Bar] = []
    for place, hour in enumerate(seen):
        x, width = LEFT + place * column + column * 0.15, column * 0.7
        completed, failed = hour.completed * room / top, hour.failed * room / top
        floor = HEIGHT - BOTTOM
        bars += [
            Bar("completed", x, floor - completed, width, completed),
            Bar("failed", x, floor - completed - failed, width, failed),
            Bar("created", x - 2, floor - hour.created * room / top - 1, width + 4, 2),
        ]
    return Picture(
        [bar for bar, count in zip(bars, _counts(seen), strict=True) if count],
        [
            Mark(LEFT + (place + 0.5) * column, f"{hour.hour[-2:]}:00")
            for place, hour in enumerate(seen)
            if int(hour.hour[-2:]) % LABELLED_EVERY == 0
        ],
        [Mark(HEIGHT - BOTTOM - part * room / 2, f"{top * part / 2:g}") for part in (0, 1, 2)],
    )


def _counts(seen: list[Seen]) -> list[int]:
    return [count for hour in seen for count in (hour.completed, hour.failed, hour.created)]


def _ended(hour: Seen) -> int:
    return hour.completed + hour.failed


def _round_up(most: int) -> int:
    """The next of 2, 4, 6, 8, 10, 20, 40 …: its half is a whole number, and it is never 0."""
    power = 1
    while True:
        for step in _STEPS:
            if most <= step * power:
                return step * power
        power *= 10
