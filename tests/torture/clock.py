"""Clock: what the tortured service takes for the time, which the torture can step."""

from __future__ import annotations

import mmap
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS = struct.Struct("d")


class Clock:
    """How many seconds the service's clock is off, in a file that all its processes map.

    One machine has one clock: a step is seen by all of its processes at once. Monotonic clocks,
    which leases are counted by, do not step.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_SECONDS.pack(0.0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SECONDS.size)

    @property
    def off(self) -> float:
        """Seconds by which it is ahead."""
        return float(_SECONDS.unpack_from(self._shared)[0])

    def set(self, off: float) -> None:
        """Steps it."""
        _SECONDS.pack_into(self._shared, 0, off)

    def now(self) -> datetime:
        """What it shows."""
        return datetime.now(UTC) + timedelta(seconds=self.off)


def stepping(clock: Clock) -> type[datetime]:
    """A `datetime` whose `now` is the clock's."""

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=clock.off)

    return Stepped
