"""State: what this node signed and delivered last, and what keeps it from more; for all to see."""

from __future__ import annotations

import logging
from datetime import datetime  # noqa: TC003 (msgspec reads it)
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from api.audit.place import PlaceFailed
from exporter.disk import replace

if TYPE_CHECKING:
    from pathlib import Path

_LOGGER = logging.getLogger(__name__)


class Trouble(Struct, frozen=True):
    """Something that fails: why, and since when."""

    why: str
    since: datetime


class SinkState(Struct):
    """A sink: the name of the last checkpoint that it was given, and what is wrong with it."""

    delivered: str | None = None
    trouble: Trouble | None = None


class AuditState(Struct):
    """The last checkpoint, its size, the position of its last event, and when it was signed.

    `altered` keeps the node from signing until an operator acts; it is of the log's incarnation
    `altered_of`. `failing` tells that the audit place fails.
    """

    note: str | None = None
    incarnation: str | None = None
    size: int = 0
    position: int = 0
    at: datetime | None = None
    altered: Trouble | None = None
    altered_of: str | None = None
    failing: Trouble | None = None
    sinks: dict[str, SinkState] = field(default_factory=dict)

    def has_ended(self, incarnation: str | None) -> bool:
        """Was what was found altered another incarnation than this? A restore has answered it."""
        return incarnation is not None and self.altered_of not in (None, incarnation)


def read_state(path: Path) -> AuditState:
    """As it was written last; of a node that never signed, nothing."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AuditState)
    except FileNotFoundError:
        return AuditState()
    except (OSError, msgspec.DecodeError) as error:
        _LOGGER.warning("%s cannot be read: %s", path, error)
        return AuditState()


class StateFile:
    """Where it is written to, atomically, whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.state = read_state(path)
        self._written = msgspec.json.encode(self.state)

    def save(self) -> None:
        """Writes it, durably, if it is not what was written last. Raises PlaceFailed."""
        now = msgspec.json.encode(self.state)
        if now == self._written:
            return
        try:
            replace(self._path, now)
        except OSError as error:
            raise PlaceFailed(f"{self._path} cannot be written: {error}") from error
        self._written = now


def trouble(why: str, before: Trouble | None, now: datetime) -> Trouble:
    """What fails now; since before, if it did."""
    return Trouble(why, before.since if before else now)
