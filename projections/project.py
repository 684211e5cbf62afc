"""Event -> row changes: one pure function per event; none of them refuses.

The follower runs them page by page over the tables, the rebuild in memory over a whole log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import projections.access
import projections.exports  # noqa: F401 (what both import register their functions)
from projections.registry import PROJECTIONS

if TYPE_CHECKING:
    from domain.fact import Fact
    from projections.changes import Changes


def project(event: Fact, changes: Changes) -> None:
    """Applies one event; events of no interest to the tables change nothing."""
    projection = PROJECTIONS.get(type(event))
    if projection:
        projection(event, changes)
