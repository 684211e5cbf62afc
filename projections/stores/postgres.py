"""An event store in a database of PostgreSQL's, for all processes of many machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.log import CannotOpen
from projections.shown import shown

if TYPE_CHECKING:
    from projections.log import OpenLog


def open_postgres(url: str) -> OpenLog:
    """Opens the event store in a database.

    Raises:
        CannotOpen: the database cannot be reached.
    """
    raise CannotOpen(f"The event store '{shown(url)}' cannot be opened yet.")
