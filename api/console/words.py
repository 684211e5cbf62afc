"""Words: numbers, times and sizes as people read them."""

from __future__ import annotations

from json import dumps, loads
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))


def duration(seconds: float) -> str:
    """`41 s`, `3 min`, `2 h 5 min`, `4 d 1 h`: the two largest units, of small ones one."""
    left = int(seconds)
    told: list[str] = []
    for length, unit in _UNITS:
        if left >= length and len(told) < 2:
            told.append(f"{left // length} {unit}")
            left %= length
        elif told:
            break
    return " ".join(told) or "less than 1 s"


def wait(seconds: float) -> str:
    """As `duration`, never less than there is to wait."""
    return duration(ceil(seconds))


def size(octets: int) -> str:
    """`812 bytes`, `3.4 MB`: decimal, as disks are sold."""
    for length, unit in _SIZES:
        if octets >= length:
            return f"{octets / length:.1f} {unit}"
    return f"{octets} bytes"


def number(count: int) -> str:
    """With a thin space between thousands, which no line is broken at."""
    return f"{count:,}".replace(",", "\u202f")


def plural(count: int, one: str, many: str) -> str:
    """`1 row`, `12 rows`."""
    return f"{number(count)} {one if count == 1 else many}"


def utc(moment: datetime) -> str:
    """`2026-01-31 12:00:00 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def moment(text: str) -> str:
    """`2026-01-31 12:00:00 UTC` of a time that is kept as text, in UTC."""
    return f"{text[:19].replace('T', ' ')} UTC"


def iso(moment: datetime) -> str:
    """For `<time datetime>`."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def batch_of(resource_condition: str) -> str:
    """The batch task's id in a condition, which is JSON text."""
    return str(loads(resource_condition).get("task_id", "?"))


def in_json(document: object) -> str:
    """For whoever wants to see it as it is."""
    return dumps(document, indent=2, ensure_ascii=False, default=str)


FILTERS: dict[str, Callable[..., Any]] = {
    "duration": duration,
    "wait": wait,
    "size": size,
    "number": number,
    "plural": plural,
    "utc": utc,
    "moment": moment,
    "iso": iso,
    "batch": batch_of,
    "json": in_json,
}
