"""Which function says what rows an event changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from domain.fact import Fact
    from projections.changes import Changes

E = TypeVar("E", bound="Fact")
PROJECTIONS: dict[type[Fact], Callable[[Any, Changes], None]] = {}


def on(
    event: type[E],
) -> Callable[[Callable[[E, Changes], None]], Callable[[E, Changes], None]]:
    """Makes a function the projection of an event."""

    def register(
        projection: Callable[[E, Changes], None],
    ) -> Callable[[E, Changes], None]:
        PROJECTIONS[event] = projection
        return projection

    return register


def text(at: datetime) -> str:
    """A time as the tables hold it: ISO 8601, UTC, of a fixed length, so that it sorts."""
    return at.isoformat(timespec="microseconds")
