"""Ready: this program's read tables are there before anybody is answered from them."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING

from projections.checks import RebuildRunning
from projections.follower import reading
from projections.rebuild import UNATTENDED, rebuild
from scripts.pace import pace
from scripts.talk import say

if TYPE_CHECKING:
    from api.parts import Parts

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
                with pace("building read tables") as advance:
                    rebuild(parts.log.recorder, parts.tables, UNATTENDED, advance)
            except RebuildRunning as running:
                say(f"{running} Waiting for it.")
                sleep(WAIT_SECONDS)
        parts.tables.tidy()
