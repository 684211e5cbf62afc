"""Ready: this program's read tables are there before anybody is answered from them."""

from __future__ import annotations

from contextlib import nullcontext
from time import sleep
from typing import TYPE_CHECKING

from api.upkeep.event_copies import silent
from projections.checks import RebuildRunning
from projections.follower import reading
from projections.rebuild import UNATTENDED, rebuild
from scripts.logs import tell
from scripts.pace import pace

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from api.parts import Parts
    from scripts.pace import Advance

WAIT_SECONDS = 2.0


def make_tables(parts: Parts) -> None:
    """Builds the read tables where this version of them is missing, however long it takes.

    Or waits for who is building them. A process of another version goes on with its own tables;
    these go once no process has them open.

    Raises:
        Unavailable: the log or the tables cannot be read or written.
    """
    with reading():
        while parts.tables.current() is None:
            try:
                with _shown(parts) as advance:
                    rebuild(parts.log.recorder, parts.tables, UNATTENDED, advance)
            except RebuildRunning as running:
                tell(f"{running} Waiting for it.")
                sleep(WAIT_SECONDS)
        parts.tables.tidy()


def _shown(parts: Parts) -> AbstractContextManager[Advance]:
    """How far it is; of an empty log there is nothing to tell."""
    if parts.log.recorder.max_notification_id() is None:
        return nullcontext(silent)
    return pace("building read tables", tell)
